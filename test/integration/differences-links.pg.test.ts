/**
 * What a client in transaction mode can see of those that had its link before: traces without harm,
 * and what SQL inside functions does not find. `docs/compatibility.md` names these tests.
 */
import { describe, expect, it } from 'vitest';
import { stageForEach } from '../support/stage.ts';
import { errorsOf } from '../support/wire.ts';
import { bind, execute, parse, sync } from '../support/wire-messages.ts';

const stage = stageForEach();

describe('prepared statements inside DO and functions', () => {
  it.each(['EXECUTE s', 'DEALLOCATE s'])('are not found by %s, when the client’s', async (sql) => {
    const outcomes: string[][] = [];
    for (const poolMode of ['transaction', 'session'] as const) {
      const gateway = await stage.start({ links: 1, poolMode });
      const client = await gateway.connect();
      await client.rows(`CREATE FUNCTION does() RETURNS void LANGUAGE plpgsql AS
        $$BEGIN EXECUTE '${sql}'; END$$`);
      for (const text of [`DO $$BEGIN EXECUTE '${sql}'; END$$`, 'SELECT does()']) {
        await client.rows('DEALLOCATE ALL');
        client.send(parse('s', 'SELECT 1'), sync());
        await client.readReady();
        const errors = errorsOf(await client.ask(text));
        client.send(bind('', 's'), execute(), sync());
        outcomes.push([poolMode, ...errors, ...errorsOf(await client.readReady())]);
      }
    }
    const gone = sql.startsWith('DEALLOCATE') ? ['26000'] : [];
    expect(outcomes).toEqual([
      ['transaction', '26000'],
      ['transaction', '26000'],
      ['session', ...gone],
      ['session', ...gone],
    ]);
  });

  it('are found there when they were prepared there', async () => {
    const gateway = await stage.start({ links: 1 });
    const client = await gateway.connect();
    const all = `DO $$BEGIN EXECUTE 'PREPARE s AS SELECT 1'; EXECUTE 'EXECUTE s';
      EXECUTE 'DEALLOCATE s'; END$$`;
    expect(errorsOf(await client.ask(all))).toEqual([]);
  });
});
