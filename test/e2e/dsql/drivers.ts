/** Postgres.js, Drizzle and Kysely: other ways to prepare, to pipeline and to begin. */
import { connect as tlsConnect } from 'node:tls';
import { eq, sql as text } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import { integer, pgTable, text as textColumn } from 'drizzle-orm/pg-core';
import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DsqlDev } from './dsql-dev.ts';

const notes = pgTable('notes', { id: integer().primaryKey(), body: textColumn().notNull() });
type Tables = { readonly notes: { readonly id: number; readonly body: string } };

export function describeDrivers(dev: () => DsqlDev): void {
  beforeAll(async () => {
    await dev().psql('CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL)');
  });

  describe('node-postgres', () => {
    // dsql §1.9, §8.10
    it('asks for TLS, or begins with it', async () => {
      for (const sslnegotiation of ['postgres', 'direct'] as const) {
        const client = new pg.Client({ ...(await dev().config()), sslnegotiation });
        await client.connect();
        expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
        await client.end();
      }
    });

    it('needs a name in TLS', async () => {
      const config = await dev().config();
      const client = new pg.Client({ ...config, ssl: { rejectUnauthorized: false } });
      await expect(client.connect()).rejects.toMatchObject({
        code: '08006',
        message: 'unable to accept connection, sni was not received',
      });
    });

    it('is encrypted by TLS 1.2 or 1.3, with a certificate for the name', async () => {
      const { dsql, ca } = dev();
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const versions = { minVersion: version, maxVersion: version };
        const where = { host: dsql.host, port: dsql.port, servername: dsql.endpoint, ca };
        const socket = tlsConnect({ ...where, ...versions, ALPNProtocols: ['postgresql'] });
        await new Promise<void>((resolve, reject) => {
          socket.once('secureConnect', resolve);
          socket.once('error', reject);
        });
        expect(socket.authorized).toBe(true);
        expect(socket.getProtocol()).toBe(version);
        socket.destroy();
      }
    });
  });

  describe('Postgres.js', () => {
    let client: postgres.Sql;

    beforeAll(async () => {
      const { dsql, ca } = dev();
      client = postgres({
        host: dsql.host,
        port: dsql.port,
        user: 'admin',
        database: 'postgres',
        password: () => dev().token(),
        ssl: { ca, servername: dsql.endpoint },
        max: 4,
        onnotice: () => {},
      });
    });

    afterAll(async () => {
      await client?.end();
    });

    // dsql §8.10
    it('pipelines statements that it prepares', async () => {
      const work = Array.from({ length: 60 }, (_, n) => client`SELECT ${n}::int AS n`);
      const rows = (await Promise.all(work)).map(([row]) => row?.['n']);
      expect(rows).toEqual(Array.from({ length: 60 }, (_, n) => n));
    });

    it('has transactions, cursors and rows in bulk', async () => {
      await client.begin(async (tx) => {
        const rows = Array.from({ length: 50 }, (_, id) => ({ id, body: `n${id}` }));
        await tx`INSERT INTO notes ${tx(rows)}`;
      });
      let seen = 0;
      for await (const rows of client`SELECT id FROM notes ORDER BY id`.cursor(7)) {
        seen += rows.length;
      }
      expect(seen).toBe(50);
      const failing = client.begin(async (tx) => {
        await tx`DELETE FROM notes`;
        await tx`SELECT 1/0`;
      });
      await expect(failing).rejects.toMatchObject({ code: '22012' });
      expect(await client`DELETE FROM notes`).toMatchObject({ count: 50 });
    });

    it('hears of what DSQL does not have', async () => {
      await expect(client.listen('news', () => {})).rejects.toMatchObject({
        code: '0A000',
        message: 'unsupported statement: Listen',
      });
      const savepoint = client.begin((tx) => tx.savepoint((inner) => inner`SELECT 1`));
      await expect(savepoint).rejects.toMatchObject({
        code: '0A000',
        message: 'unsupported transaction statement: SAVEPOINT',
      });
    });
  });

  describe('Drizzle', () => {
    // dsql §8.10
    it('writes, reads, and rolls back', async () => {
      const pool = new pg.Pool({ ...(await dev().config()), max: 3 });
      const db = drizzle(pool);
      await db.insert(notes).values([
        { id: 1, body: 'one' },
        { id: 2, body: 'two' },
      ]);
      const upsert = db
        .insert(notes)
        .values({ id: 2, body: 'deux' })
        .onConflictDoUpdate({ target: notes.id, set: { body: text`excluded.body` } });
      expect(await upsert.returning()).toEqual([{ id: 2, body: 'deux' }]);
      const undone = db.transaction(async (tx) => {
        await tx.update(notes).set({ body: 'none' });
        tx.rollback();
      });
      await expect(undone).rejects.toThrow('Rollback');
      expect(await db.select().from(notes).where(eq(notes.id, 1))).toEqual([
        { id: 1, body: 'one' },
      ]);
      await db.delete(notes);
      await pool.end();
    });
  });

  describe('Kysely', () => {
    // dsql §8.10
    it('writes, reads, and has transactions of the level that there is', async () => {
      const pool = new pg.Pool({ ...(await dev().config()), max: 3 });
      const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
      await db
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((tx) => tx.insertInto('notes').values({ id: 5, body: 'five' }).execute());
      const found = db.selectFrom('notes').selectAll().where('id', '=', 5);
      expect(await found.execute()).toEqual([{ id: 5, body: 'five' }]);
      const serializable = db
        .transaction()
        .setIsolationLevel('serializable')
        .execute((tx) => sql`SELECT 1`.execute(tx));
      await expect(serializable).rejects.toMatchObject({ code: '0A000' });
      await db.deleteFrom('notes').execute();
      await db.destroy();
    });

    it('finds the tables, and those of the endpoint itself stay apart', async () => {
      const pool = new pg.Pool({ ...(await dev().config()), max: 1 });
      const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
      const tables = await db.introspection.getTables();
      const inPublic = tables.filter(({ schema }) => schema === 'public');
      const found = inPublic.find(({ name }) => name === 'notes');
      expect(found?.columns.map(({ name }) => name)).toEqual(['id', 'body']);
      const schemas = new Set(tables.map(({ schema }) => schema));
      expect([...schemas].filter((name) => name !== 'public' && name !== 'sys')).toEqual([]);
      await db.destroy();
    });
  });
}
