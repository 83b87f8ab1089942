/** Many logins, as a burst of functions without connections of their own makes them. */
import type { Subject } from '../cases/case.ts';
import type { Figures } from '../report/figures.ts';
import { CpuClock } from '../system/cpu-time.ts';
import type { RunningPooler } from '../ways/place.ts';
import type { Scene } from '../ways/scene.ts';
import { RawClient, type Target } from './raw-client.ts';

const LOGINS = 1000;
const AT_ONCE = 8;
const WARM_UP_LOGINS = 200;

/** Logs in so many times, a few at once; each client leaves at once. */
async function logInAndOut(target: Target, count: number): Promise<void> {
  let left = count;
  const loop = async (): Promise<void> => {
    while (left-- > 0) await (await RawClient.connect(target)).end();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loop));
}

/** Clients that log in and stay, a few at a time. */
export async function logInAll(target: Target, count: number): Promise<readonly RawClient[]> {
  const clients: RawClient[] = [];
  let left = count;
  const loop = async (): Promise<void> => {
    while (left-- > 0) clients.push(await RawClient.connect(target));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, loop));
  return clients;
}

/** Processor time of the pooler for one login. */
export async function measureLogins(
  scene: Scene,
  { way }: Extract<Subject, { readonly kind: 'logins' }>,
): Promise<Figures> {
  const address = await scene.addressOf(way);
  const { pids } = (await scene.pooler(way)) as RunningPooler;
  const target = { address, login: scene.origin.login, isTls: false };
  const clock = new CpuClock();
  const spent = (): number => pids.reduce((sum, pid) => sum + clock.familySeconds(pid), 0);
  await logInAndOut(target, WARM_UP_LOGINS);
  const before = spent();
  await logInAndOut(target, LOGINS);
  return { loginMs: ((spent() - before) * 1000) / LOGINS };
}
