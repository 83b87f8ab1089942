/**
 * The gateway speaks as PostgreSQL does: every script is run against the server itself, and through
 * the gateway in both pool modes, however its bytes are cut. What comes back must be the same byte
 * for byte, except for process IDs in notifications.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { record, type Script, WRITINGS } from '../support/transcript.ts';
import { errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import { bind, execute, parse, sync } from '../support/wire-messages.ts';
import { COPY_SCRIPTS } from './scripts/copy.ts';
import { DEALLOCATE_SCRIPTS } from './scripts/deallocate.ts';
import { EXTENDED_SCRIPTS } from './scripts/extended.ts';
import { FAILED_TRANSACTION_SCRIPTS } from './scripts/failed-transaction.ts';
import { MALFORMED_SCRIPTS } from './scripts/malformed.ts';
import { PIPELINE_SCRIPTS } from './scripts/pipeline.ts';
import { RESULT_TYPE_SCRIPTS } from './scripts/result-type.ts';
import { SESSION_SCRIPTS } from './scripts/session.ts';
import { SIMPLE_SCRIPTS } from './scripts/simple.ts';
import { SQL_STATEMENT_SCRIPTS } from './scripts/sql-statements.ts';
import { SURFACE_SCRIPTS } from './scripts/surface.ts';

const SCRIPTS = [
  ...SIMPLE_SCRIPTS,
  ...EXTENDED_SCRIPTS,
  ...DEALLOCATE_SCRIPTS,
  ...FAILED_TRANSACTION_SCRIPTS,
  ...SQL_STATEMENT_SCRIPTS,
  ...MALFORMED_SCRIPTS,
  ...PIPELINE_SCRIPTS,
  ...COPY_SCRIPTS,
  ...RESULT_TYPE_SCRIPTS,
  ...SURFACE_SCRIPTS,
  ...SESSION_SCRIPTS,
];
const SCHEMA = `CREATE TABLE item (id int PRIMARY KEY, body text);
  CREATE TABLE bending AS SELECT 1 AS a;
  CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)`;

describe('transcripts', () => {
  let database: TestDatabase;
  const gateways = new Map<string, TestGateway>();
  let side: WireClient;
  /** What PostgreSQL itself says, by script. */
  const expected = new Map<Script, readonly string[]>();

  beforeAll(async () => {
    database = await createDatabase();
    for (const poolMode of ['transaction', 'session'] as const) {
      gateways.set(poolMode, await TestGateway.start({ poolMode, caching: {} }, database));
    }
    side = await gateway('session').connectDirect();
    await side.rows(SCHEMA);
  });

  afterAll(async () => {
    for (const one of gateways.values()) await one.stop();
    await side?.end();
    await database?.drop();
  });

  const gateway = (mode: string): TestGateway => gateways.get(mode) as TestGateway;

  async function direct(script: Script): Promise<readonly string[]> {
    const known = expected.get(script);
    if (known !== undefined) return known;
    if (script.reset !== undefined) await side.rows(script.reset);
    const client = await gateway('session').connectDirect();
    const lines = await record(client, script, 'step');
    await client.end();
    expected.set(script, lines);
    return lines;
  }

  describe.each(['transaction', 'session'])('in %s mode', (mode) => {
    const same = (script: Script) => mode === 'session' || script.differs === undefined;
    describe.each(SCRIPTS.filter(same))('$name', (script) => {
      it.each(WRITINGS)('reads as from PostgreSQL, written by %s', async (writing) => {
        const wanted = await direct(script);
        if (script.reset !== undefined) await side.rows(script.reset);
        const client = await gateway(mode).connect();
        try {
          expect(await record(client, script, writing)).toEqual(wanted);
          await client.end();
        } finally {
          client.vanish();
        }
      });
    });
  });

  describe.each(
    SCRIPTS.filter(({ isPinned, differs }) => isPinned !== true && differs === undefined),
  )('$name', (script) => {
    it('reads the same when another client uses the only link between the steps', async () => {
      const wanted = await direct(script);
      if (script.reset !== undefined) await side.rows(script.reset);
      const client = await gateway('transaction').connect();
      const rival = await gateway('transaction').connect({ TimeZone: 'Asia/Kolkata' });
      try {
        const lines = await record(client, script, 'step', async (sofar) => {
          if (sofar.at(-1) === 'Z "I"') await intrude(rival);
        });
        expect(lines).toEqual(wanted);
      } finally {
        client.vanish();
        rival.vanish();
      }
    });
  });
});

/** Leaves an unnamed and a named statement behind, under names that others use too. */
async function intrude(rival: WireClient): Promise<void> {
  const names = ['', 's', 'f', 'p'];
  rival.send(
    ...names.flatMap((name) => [
      parse(name, `SELECT 'of the rival, ${name}' || $1`),
      bind('', name, ['!']),
      execute(),
    ]),
    sync(),
  );
  const replies = await rival.readReady();
  const errors = errorsOf(replies);
  // From the second time on, the names are taken.
  if (errors.length > 0) expect(errors).toEqual(['42P05']);
  else expect(rowsOf(replies)).toHaveLength(names.length);
}
