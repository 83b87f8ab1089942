/**
 * Clients that send whatever they like, valid and slightly broken, beside witnesses who share their
 * pool and must never notice. `MILLRACE_CLIENT_FUZZ_SEED` begins with that seed,
 * `MILLRACE_FUZZ_SECONDS` sets the time.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { Dice } from '../support/dice.ts';
import { FUZZ_MS, FUZZ_TEST_TIMEOUT_MS, fuzzSeed } from '../support/fuzz-budget.ts';
import { TestGateway } from '../support/gateway.ts';
import { WireClient } from '../support/wire.ts';
import { type Script, scriptOf, startupBytes } from './client-bytes.ts';
import { play, playOn } from './stranger.ts';
import { Witness } from './witness.ts';

/** More than strangers, so that a link is left for the witnesses whatever the strangers keep. */
const LINKS = 6;
const STRANGERS = 4;
const WITNESSES = 3;
/** Scripts that were played lately: one of them is to blame. */
const SUSPECTS_MAX = 12;
const SHRINK_RUNS_MAX = 60;

const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
process.on('uncaughtExceptionMonitor', note);

afterEach(() => {
  process.off('uncaughtExceptionMonitor', note);
});

async function startGateway(links: number): Promise<TestGateway> {
  const gateway = await TestGateway.start({ links });
  const side = await gateway.connectDirect();
  await side.rows("CREATE TABLE fuzz (mark text); INSERT INTO fuzz VALUES ('f'), (NULL)");
  await side.end();
  return gateway;
}

/** What nobody may have broken, once all strangers are gone. */
async function checkRest(gateway: TestGateway): Promise<void> {
  expect(gateway.complaints).toEqual([]);
  expect(uncaught).toEqual([]);
  const side = await gateway.connectDirect();
  const others = `FROM pg_stat_activity WHERE datname = current_database()
    AND backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  const busy = `SELECT state, query ${others} AND state <> 'idle'`;
  await expect.poll(() => side.rows(busy), { timeout: 20_000 }).toEqual([]);
  expect(await side.rows(`SELECT count(*) <= ${LINKS} ${others}`)).toEqual([['t']]);
  const locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
  await expect.poll(() => side.rows(locks), { timeout: 20_000 }).toEqual([['0']]);
  await side.end();
}

/** Whether the script alone does harm: on one link, between two questions of a witness. */
async function isHarmful(script: Script): Promise<boolean> {
  const gateway = await startGateway(1);
  try {
    let turns = 0;
    await new Witness(gateway, new Dice(1), 0).run(() => turns++ > 3);
    await play(gateway.target, script);
    turns = 0;
    await new Witness(gateway, new Dice(2), 1).run(() => turns++ > 3);
    await checkRest(gateway);
    return false;
  } catch {
    return true;
  } finally {
    await gateway.stop();
  }
}

/** The script without the steps that are not needed to do harm; null when it does none alone. */
async function shrunken(script: Script): Promise<Script | null> {
  if (!(await isHarmful(script))) return null;
  let smallest = script;
  let runs = 0;
  for (let at = 0; at < smallest.steps.length && runs < SHRINK_RUNS_MAX; runs++) {
    const fewer = { ...smallest, steps: smallest.steps.filter((_, index) => index !== at) };
    if (await isHarmful(fewer)) smallest = fewer;
    else at++;
  }
  return smallest;
}

const toldOf = ({ steps, end, cancels }: Script): string =>
  JSON.stringify({ steps: steps.map(({ told }) => told.replace(/x{9,}/, 'x…')), end, cancels });

async function blame(suspects: readonly Script[]): Promise<string> {
  for (const script of suspects.toReversed()) {
    const smallest = await shrunken(script);
    if (smallest !== null) return `it takes no more than ${toldOf(smallest)}`;
  }
  return `none of these alone does it:\n${suspects.map(toldOf).join('\n')}`;
}

describe('clients that break the protocol', () => {
  it('never disturb those who do not', { timeout: FUZZ_TEST_TIMEOUT_MS * 2 }, async () => {
    const seed = fuzzSeed('MILLRACE_CLIENT_FUZZ_SEED');
    const gateway = await startGateway(LINKS);
    const untilMs = Date.now() + FUZZ_MS;
    const suspects: Script[] = [];
    let failure: unknown = null;
    let played = 0;
    const isOver = () => failure !== null || Date.now() > untilMs;
    const stranger = async (dice: Dice) => {
      while (!isOver()) {
        if (dice.oneIn(8)) {
          const first = startupBytes(dice, gateway.target.user, gateway.target.database);
          const steps = [first, ...scriptOf(dice).steps];
          const client = await WireClient.dial(gateway.target);
          await playOn(client, { steps, pieces: [], end: 'rst', cancels: false });
        } else {
          const script = scriptOf(dice);
          if (suspects.push(script) > SUSPECTS_MAX) suspects.shift();
          await play(gateway.target, script);
        }
        played++;
      }
    };
    const witnesses = Array.from(
      { length: WITNESSES },
      (_, number) => new Witness(gateway, new Dice(seed + 31 * number), number),
    );
    const work = [
      ...witnesses.map((witness) => witness.run(isOver)),
      ...Array.from({ length: STRANGERS }, (_, number) => stranger(new Dice(seed + number))),
    ];
    try {
      await Promise.all(
        work.map((one) =>
          one.catch((error: unknown) => {
            failure ??= error;
          }),
        ),
      );
      if (failure !== null) throw failure;
      await checkRest(gateway);
      expect(played).toBeGreaterThan(STRANGERS);
      for (const { asked } of witnesses) expect(asked).toBeGreaterThan(WITNESSES);
    } catch (cause) {
      throw new Error(`MILLRACE_CLIENT_FUZZ_SEED=${seed}: ${await blame(suspects)}`, { cause });
    } finally {
      await gateway.stop();
    }
  });
});
