/**
 * Random pipelines, cut anywhere, of several clients at once over few links: each reads what it reads
 * from PostgreSQL itself. `MILLRACE_PIPELINE_SEED` replays a run.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { lineOf } from '../support/transcript.ts';
import type { WireClient } from '../support/wire.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
} from '../support/wire-messages.ts';

const SEED = Number(process.env['MILLRACE_PIPELINE_SEED'] ?? 20_261_121);
const CLIENTS = 5;
const BURSTS = 40;

/** Of each only what reads the same wherever it runs, and leaves nothing that pins a link. */
const TEXTS = [
  'SELECT 1',
  "SELECT 'x' || $1::text",
  'SELECT 1/0',
  'SELEC',
  '',
  'SELECT 1; SELECT 2',
  'SELECT x FROM n ORDER BY 1',
  "SELECT repeat('r', 20000)",
  'COPY n TO STDOUT',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  "SET TimeZone = 'Asia/Tokyo'",
  "SET LOCAL TimeZone = 'Asia/Kolkata'",
  "SELECT set_config('TimeZone', 'Europe/Paris', false)",
  'SHOW TimeZone',
  'RESET ALL',
  'DEALLOCATE a',
  'DEALLOCATE ALL',
  'DISCARD ALL',
];
const NAMES = ['', 'a', 'b'];

/** A linear congruential generator: the same numbers for the same seed. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed % 2_147_483_647 || 1;
  }

  below(limit: number): number {
    this.#state = (this.#state * 48_271) % 2_147_483_647;
    return this.#state % limit;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}

function message(dice: Dice): { bytes: Buffer; told: string } {
  const [kind, name, text] = [dice.below(100), dice.of(NAMES), dice.of(TEXTS)];
  if (kind < 20) {
    // Inside a unit PostgreSQL takes it, but can be left in a state in which later ones fail.
    return { bytes: Buffer.concat([sync(), query(text)]), told: `Sync, Query ${text}` };
  }
  if (kind < 45) return { bytes: parse(name, text), told: `Parse ${name}: ${text}` };
  if (kind < 70) {
    const bytes = Buffer.concat([bind('', name, kind < 55 ? ['arg'] : []), execute()]);
    return { bytes, told: `Bind and Execute ${name}` };
  }
  if (kind < 75) return { bytes: describeMessage('S', name), told: `Describe ${name}` };
  if (kind < 82) return { bytes: closeMessage('S', name), told: `Close ${name}` };
  return kind < 85 ? { bytes: flush(), told: 'Flush' } : { bytes: sync(), told: 'Sync' };
}

/** Sends a burst in pieces, and reads up to the answer of a query that nothing else resembles. */
async function answerTo(client: WireClient, bytes: Buffer, cuts: readonly number[]) {
  const lines: string[] = [];
  let at = 0;
  for (const end of [...cuts, bytes.length]) {
    client.send(bytes.subarray(at, end));
    at = end;
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let isOver = false; ; ) {
    const reply = await client.readOrEnd();
    lines.push(reply === null ? 'the connection has ended' : lineOf(reply));
    isOver ||= reply?.code === 'D' && reply.body.includes('the end of the burst');
    if (reply === null || (isOver && reply.code === 'Z')) return lines;
  }
}

describe('random pipelines', () => {
  let gateway: TestGateway;
  const pairs: { ours: WireClient; theirs: WireClient; dice: Dice }[] = [];

  beforeAll(async () => {
    gateway = await TestGateway.start({ links: 2 });
    const side = await gateway.connectDirect();
    await side.rows('CREATE TABLE n (x int); INSERT INTO n VALUES (1), (2), (NULL)');
    await side.end();
    for (let number = 1; number <= CLIENTS; number++) {
      const dice = new Dice(SEED + number * 7_919);
      pairs.push({ ours: await gateway.connect(), theirs: await gateway.connectDirect(), dice });
    }
  });

  afterAll(async () => {
    for (const { ours, theirs } of pairs) {
      ours.vanish();
      theirs.vanish();
    }
    await gateway.stop();
  });

  it(`are answered as by PostgreSQL (seed ${SEED})`, async () => {
    await Promise.all(
      pairs.map(async ({ ours, theirs, dice }) => {
        const told: string[] = [];
        for (let number = 0; number < BURSTS; number++) {
          const messages = Array.from({ length: 1 + dice.below(9) }, () => message(dice));
          // Out of any transaction, so that others get the link as well.
          const end = [sync(), query('ROLLBACK'), query('SELECT $$the end of the burst$$')];
          const bytes = Buffer.concat([...messages.map((one) => one.bytes), ...end]);
          const cuts = Array.from({ length: dice.below(4) }, () => dice.below(bytes.length));
          told.push(messages.map((one) => one.told).join(' | '));
          const wanted = await answerTo(theirs, bytes, []);
          const lines = await answerTo(
            ours,
            bytes,
            cuts.sort((a, b) => a - b),
          );
          expect({ told: told.slice(-5), lines }).toEqual({ told: told.slice(-5), lines: wanted });
        }
      }),
    );
  });
});
