/**
 * What a client in transaction mode can see of those that had its link before: traces without harm,
 * and what SQL inside functions does not find. `docs/compatibility.md` names these tests.
 */
import { describe, expect, it } from 'vitest';
import type { TestGateway } from '../support/gateway.ts';
import { untilShared } from '../support/sharing.ts';
import { nap, stageForEach, untilCatalogueIsRead } from '../support/stage.ts';
import { errorsOf, rowsOf } from '../support/wire.ts';
import { bind, execute, parse, sync, unnamed } from '../support/wire-messages.ts';

const stage = stageForEach();
const SETTING = "SELECT current_setting('app.tenant', true)";

const startSharing = (): Promise<TestGateway> =>
  stage.start({ links: 1, shareLinks: true, caching: { disabled: true }, hedgeMs: 10_000 });

describe('on the link that another client had before', () => {
  it('application_name is that of whoever had it last, while statements share it', async () => {
    const gateway = await startSharing();
    const side = await gateway.connectDirect();
    await side.rows('CREATE TABLE item AS SELECT 1 AS id');
    const sharer = await gateway.connect({ application_name: 'sharer' });
    const last = await gateway.connect({ application_name: 'last' });
    const read = () => sharer.rows('SELECT id FROM item');
    await untilShared(last, read);
    await last.rows("SELECT current_setting('application_name')");
    await untilShared(last, read);
    const link = `SELECT application_name FROM pg_stat_activity
      WHERE query = 'SELECT id FROM item' AND datname = current_database()`;
    expect(await side.rows(link)).toEqual([['last']]);
    // Whoever asks for it is alone on the link, and has its own.
    const own = "SELECT current_setting('application_name')";
    expect(await sharer.rows(own)).toEqual([['sharer']]);
    await side.end();
  });

  it('a custom setting that is not the client’s own reads empty, and is no error', async () => {
    for (const poolMode of ['transaction', 'session'] as const) {
      const gateway = await stage.start({ links: 1, poolMode });
      const fresh = await gateway.connectDirect();
      expect(await fresh.rows(SETTING)).toEqual([[null]]);
      expect(errorsOf(await fresh.ask("SELECT current_setting('app.tenant')"))).toEqual(['42704']);
      const client = await gateway.connect();
      await client.rows("SET app.tenant = 'a'");
      await client.end();
      const next = await gateway.connect();
      expect(await next.rows(SETTING)).toEqual([['']]);
      expect(await next.rows("SELECT current_setting('app.tenant')")).toEqual([['']]);
      await fresh.end();
    }
  });

  it('current_schemas(true) may tell of a schema for temporary objects', async () => {
    const schemas = 'SELECT array_to_string(current_schemas(true), $$ $$)';
    for (const poolMode of ['transaction', 'session'] as const) {
      const gateway = await stage.start({ links: 1, poolMode });
      const client = await gateway.connect();
      expect(await client.rows(schemas)).toEqual([['pg_catalog public']]);
      await client.rows('CREATE TEMP TABLE mine (n int)');
      await client.rows('DROP TABLE mine');
      await client.end();
      const next = await gateway.connect();
      const [[shown] = []] = await next.rows(schemas);
      expect(shown).toMatch(/^pg_temp_\d+ pg_catalog public$/);
    }
  });

  it('a function in PL/pgSQL runs with the plans that it was given there', async () => {
    const { gateway, proxy } = await stage.startBehindProxy({ links: 1 });
    const side = await gateway.connectDirect();
    // Wrongly said to be immutable: so PostgreSQL computes it once for each plan.
    await side.rows(`CREATE FUNCTION tenant() RETURNS text LANGUAGE plpgsql IMMUTABLE AS
        $$BEGIN RETURN current_setting('app.tenant', true); END$$;
      CREATE FUNCTION asks() RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN tenant(); END$$`);
    const told: unknown[] = [];
    for (const connect of [() => gateway.connect(), () => gateway.connectDirect()]) {
      for (const tenant of ['a', 'b']) {
        const client = await connect();
        await client.rows(`SET app.tenant = '${tenant}'`);
        // Before, the link is reset behind it.
        if (told.length === 0) await untilCatalogueIsRead(client, proxy, 'SELECT asks()');
        told.push((await client.rows('SELECT asks()'))[0]?.[0]);
        stage.after(() => client.vanish());
      }
    }
    expect(told).toEqual(['a', 'a', 'a', 'b']);
    await side.end();
  });

  it('a text without a name means soon what it means since a change past the gateway', async () => {
    const gateway = await startSharing();
    const side = await gateway.connectDirect();
    await side.rows(`CREATE SCHEMA front; CREATE SCHEMA back;
      CREATE TABLE back.item AS SELECT 'back' AS place`);
    const client = await gateway.connect({ search_path: 'front, back' });
    const asker = await gateway.connect();
    const read = async () => {
      client.send(...unnamed('SELECT place FROM item'), sync());
      return rowsOf(await client.readReady())[0]?.[0];
    };
    await untilShared(asker, read);
    await side.rows("CREATE TABLE front.item AS SELECT 'front' AS place");
    const since = performance.now();
    let reads = 0;
    // On a busy machine it may take longer.
    while ((await read()) === 'back' && performance.now() - since < 20_000) {
      reads++;
      await nap(50);
    }
    expect(await read()).toBe('front');
    expect(reads).toBeGreaterThan(0);
    await side.end();
  }, 30_000);
});

describe('prepared statements inside DO, functions and texts of several statements', () => {
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

  it('are not found among several statements when the link cannot be given them', async () => {
    const gateway = await stage.start({ links: 1 });
    const outcomes: string[][] = [];
    for (const connect of [() => gateway.connect(), () => gateway.connectDirect()]) {
      const client = await connect();
      await client.rows('CREATE TABLE item (id int)');
      client.send(parse('items', 'SELECT id FROM item'), parse('one', 'SELECT 1'), sync());
      await client.readReady();
      await client.rows('DROP TABLE item');
      const gone = errorsOf(await client.ask('DEALLOCATE items; SELECT 1'));
      await client.rows('BEGIN');
      await client.ask('SELECT 1/0');
      const failed = errorsOf(await client.ask('ROLLBACK; DEALLOCATE one'));
      outcomes.push([...gone, '-', ...failed]);
      await client.end();
    }
    expect(outcomes).toEqual([['42P01', '-', '26000'], ['-']]);
  });

  it('are found there when they were prepared there', async () => {
    const gateway = await stage.start({ links: 1 });
    const client = await gateway.connect();
    const all = `DO $$BEGIN EXECUTE 'PREPARE s AS SELECT 1'; EXECUTE 'EXECUTE s';
      EXECUTE 'DEALLOCATE s'; END$$`;
    expect(errorsOf(await client.ask(all))).toEqual([]);
  });
});
