/** Many logins, as a burst of functions without connections of their own makes them. */
import type { Subject } from '../cases/case.ts';
import type { Figures } from '../report/figures.ts';
import { CpuClock } from '../system/cpu-time.ts';
import type { RunningPooler } from '../ways/pooler.ts';
import type { Scene } from '../ways/scene.ts';
import { RawClient, type Target } from './raw-client.ts';

const LOGINS = 1000;
const AT_ONCE = 8;
/** Until the code of a login is compiled as well as it will ever be. */
const WARM_UP_LOGINS = 1500;

type LoginSubject = Extract<Subject, { readonly kind: 'logins' }>;

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

async function targetOf(scene: Scene, { way }: LoginSubject): Promise<Target> {
  return { address: await scene.addressOf(way), login: scene.origin.login, isTls: false };
}

export async function warmUpLogins(scene: Scene, subject: LoginSubject): Promise<void> {
  await logInAndOut(await targetOf(scene, subject), WARM_UP_LOGINS);
}

/** Processor time of the pooler for one login. */
export async function measureLogins(scene: Scene, subject: LoginSubject): Promise<Figures> {
  const target = await targetOf(scene, subject);
  const { pids } = (await scene.pooler(subject.way)) as RunningPooler;
  const clock = new CpuClock();
  const spent = (): number => pids.reduce((sum, pid) => sum + clock.familySeconds(pid), 0);
  const before = spent();
  await logInAndOut(target, LOGINS);
  return { loginMs: ((spent() - before) * 1000) / LOGINS };
}
