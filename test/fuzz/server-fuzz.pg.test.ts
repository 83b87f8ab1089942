/**
 * A server that breaks the protocol: the gateway neither fails nor hangs, no client reads what
 * belongs to another, and the link is closed and replaced. `MILLRACE_SERVER_FUZZ_SEED` begins with
 * that seed, `MILLRACE_FUZZ_SECONDS` sets the time.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { Dice } from '../support/dice.ts';
import { FUZZ_MS, FUZZ_TEST_TIMEOUT_MS, fuzzSeed } from '../support/fuzz-budget.ts';
import { TestGateway } from '../support/gateway.ts';
import { createDatabase } from '../support/pg.ts';
import type { Reply, WireClient } from '../support/wire.ts';
import { query } from '../support/wire-messages.ts';
import { BrokenServer } from './broken-server.ts';

const TIMEOUT = { timeout: FUZZ_TEST_TIMEOUT_MS };
const CLIENTS = 12;
const LINKS = 8;
/** A server that has lost its thread owes an answer: its client gives up. */
const PATIENCE_MS = 400;
/** From one that has found it again every answer comes. */
const PATIENCE_WITH_RIGHT_MS = 10_000;

const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);
process.on('uncaughtExceptionMonitor', note);
afterEach(() => {
  process.off('uncaughtExceptionMonitor', note);
});

const marksIn = (replies: readonly Reply[]): string[] =>
  replies.flatMap(({ body }) => body.toString('latin1').match(/mark-\d+-\d+;/g) ?? []);

/** Asks until its connection ends, and looks for marks that are not its own. */
async function ask(
  client: WireClient,
  mark: () => string,
  isOver: () => boolean,
  patienceMs: number,
): Promise<number> {
  const own = new Set<string>();
  let answered = 0;
  while (!isOver()) {
    const wanted = mark();
    own.add(wanted);
    client.send(query(`SELECT '${wanted}'`));
    const replies: Reply[] = [];
    while (replies.at(-1)?.code !== 'Z') {
      const reply = await client.readOrEnd(patienceMs).catch(() => null);
      if (reply === null) break;
      replies.push(reply);
    }
    const stranger = marksIn(replies).find((one) => !own.has(one));
    if (stranger !== undefined) throw new Error(`${wanted} was answered with ${stranger}`);
    if (replies.at(-1)?.code !== 'Z') break;
    answered++;
  }
  client.vanish();
  return answered;
}

describe('a server that breaks the protocol', () => {
  it.each([
    { links: 'links of their own', shareLinks: false },
    { links: 'shared links', shareLinks: true },
  ])('harms nobody but its own client ($links)', TIMEOUT, async ({ shareLinks }) => {
    const seed = fuzzSeed('MILLRACE_SERVER_FUZZ_SEED');
    const database = await createDatabase();
    const server = await BrokenServer.start(new Dice(seed), shareLinks);
    const timeouts = { connectTimeoutMs: 500, waitTimeoutMs: 5_000 };
    const options = { originAt: server.at, links: LINKS, shareLinks, timeouts };
    const gateway = await TestGateway.start(options, database);
    let [answered, serial] = [0, 0];
    const untilMs = Date.now() + FUZZ_MS;
    const work = async (number: number, isOver: () => boolean, isRight: boolean) => {
      const mark = () => `mark-${number}-${serial++};`;
      while (!isOver()) {
        // A login may fail while the server is broken, but never takes for ever.
        const client = await gateway.connect().catch((error: unknown) => {
          if (isRight) throw error;
          return null;
        });
        if (client === null) continue;
        const patienceMs = isRight ? PATIENCE_WITH_RIGHT_MS : PATIENCE_MS;
        const count = await ask(client, mark, isOver, patienceMs);
        answered += count;
      }
    };
    try {
      const isOver = () => Date.now() > untilMs;
      await Promise.all(Array.from({ length: CLIENTS }, (_, n) => work(n, isOver, false)));
      expect(server.broken).toBeGreaterThan(0);
      expect(answered).toBeGreaterThan(CLIENTS);
      expect(server.open).toBeLessThanOrEqual(LINKS);
      server.isBroken = false;
      await expect.poll(() => gateway.connect().then((one) => one.end()), { timeout: 10_000 });
      const before = answered;
      let turns = 0;
      await Promise.all(
        Array.from({ length: CLIENTS }, (_, n) => work(n, () => turns++ > 100, true)),
      );
      expect(answered - before).toBeGreaterThan(CLIENTS);
      const failed = gateway.complaints.filter((one) => !one.startsWith('origin not reached'));
      expect({ failed, uncaught }).toEqual({ failed: [], uncaught: [] });
    } catch (cause) {
      throw new Error(`MILLRACE_SERVER_FUZZ_SEED=${seed}`, { cause });
    } finally {
      await gateway.stop();
      await server.stop();
      await database.drop();
    }
  });
});
