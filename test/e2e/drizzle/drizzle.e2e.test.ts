import { join } from 'node:path';
import { asc, count, eq, getTableColumns, ilike, sql, sum } from 'drizzle-orm';
import { drizzle as overPg } from 'drizzle-orm/node-postgres';
import { migrate as migratePg } from 'drizzle-orm/node-postgres/migrator';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';
import { drizzle as overPostgres } from 'drizzle-orm/postgres-js';
import { migrate as migratePostgres } from 'drizzle-orm/postgres-js/migrator';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothWays } from '../support/both-ways.ts';
import * as schema from './schema.ts';

const { applied, note, person } = schema;
const migrationsFolder = join(import.meta.dirname, 'migrations');

/** Four times as many as there are connections. */
const CLIENTS = 12;

type Database = PgDatabase<PgQueryResultHKT, typeof schema>;

type Driver = {
  readonly name: string;
  /** A database of so many connections, brought up to date, while the work goes on. */
  use<T>(url: string, work: (db: Database) => Promise<T>): Promise<T>;
};

const drivers: readonly Driver[] = [
  {
    name: 'pg',
    async use(url, work) {
      const pool = new pg.Pool({ connectionString: url, max: CLIENTS });
      try {
        const db = overPg(pool, { schema });
        await migratePg(db, { migrationsFolder });
        return await work(db);
      } finally {
        await pool.end();
      }
    },
  },
  {
    name: 'postgres',
    async use(url, work) {
      const client = postgres(url, { max: CLIENTS, onnotice: () => {} });
      try {
        const db = overPostgres(client, { schema });
        await migratePostgres(db, { migrationsFolder });
        return await work(db);
      } finally {
        await client.end();
      }
    },
  },
];

/** What happened, as a program can act on it: the driver's error is inside of the one of Drizzle. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    const { code, message } = cause as { readonly code?: string; readonly message: string };
    return { code, message };
  }
  throw new Error('it did not fail');
}

const clients = <T>(work: (who: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CLIENTS }, (_, who) => work(who)));

async function insertPeople(db: Database): Promise<void> {
  await clients(async (who) => {
    await db.transaction(async (tx) => {
      const extra = { a: [who, null] };
      const since = new Date(Date.UTC(2026, 0, 1 + who));
      const values = { name: `name ${who}`, extra, since, balance: `${who}.50` };
      const [row] = await tx.insert(person).values(values).returning({ id: person.id });
      if (row === undefined) throw new Error('no row came back');
      const text = "it's";
      const notes = [0, 1, 2].map((n) => ({ personId: row.id, text, tags: [`tag ${n}`, '"'] }));
      await tx.insert(note).values(notes);
    });
  });
}

/** Without the numbers that depend on who came first. */
async function queries(db: Database): Promise<unknown> {
  await insertPeople(db);
  const joined = await db
    .select({ name: person.name, notes: count(note.id), balance: person.balance })
    .from(person)
    .leftJoin(note, eq(note.personId, person.id))
    .where(ilike(person.name, 'NAME%'))
    .groupBy(person.id)
    .orderBy(asc(person.balance));
  const related = await clients((who) =>
    db.query.person.findFirst({
      where: eq(person.name, `name ${who}`),
      columns: { id: false },
      with: { notes: { columns: { text: true, tags: true }, orderBy: asc(note.tags) } },
    }),
  );
  const rich = db.$with('rich').as(db.select().from(person).where(sql`${person.balance} > 5`));
  const total = await db
    .with(rich)
    .select({ total: sum(rich.balance) })
    .from(rich);
  const upserted = await clients((who) =>
    db
      .insert(person)
      .values({ name: `name ${who % 3}`, mood: 'sad' })
      .onConflictDoUpdate({
        target: person.name,
        set: { mood: 'sad', balance: sql`${person.balance} + 1` },
      })
      .returning({ name: person.name, mood: person.mood }),
  );
  const { id: _id, ...shown } = getTableColumns(person);
  const removed = await db.delete(person).where(eq(person.name, 'name 11')).returning(shown);
  const left = await db.$count(note);
  const sad = await db
    .select(shown)
    .from(person)
    .where(eq(person.mood, 'sad'))
    .orderBy(person.name);
  return { joined, related, total, upserted, removed, sad, left };
}

async function prepared(db: Database): Promise<unknown> {
  await insertPeople(db);
  const byName = db
    .select({ name: person.name, since: person.since, extra: person.extra })
    .from(person)
    .where(eq(person.name, sql.placeholder('name')))
    .prepare('by_name');
  const withNotes = db.query.person
    .findMany({
      columns: { name: true },
      limit: sql.placeholder('limit'),
      orderBy: asc(person.balance),
      with: { notes: { columns: { tags: true }, orderBy: asc(note.tags) } },
    })
    .prepare('with_notes');
  const rename = db
    .update(person)
    .set({ balance: sql`${person.balance} + ${sql.placeholder('more')}` })
    .where(eq(person.name, sql.placeholder('name')))
    .prepare('rename');
  return await clients(async (who) => {
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round++) {
      seen.push(await byName.execute({ name: `name ${(who + round) % CLIENTS}` }));
      seen.push(await withNotes.execute({ limit: 1 + (round % 3) }));
      await rename.execute({ name: `name ${who}`, more: 0 });
    }
    return seen;
  });
}

async function transactions(db: Database): Promise<unknown> {
  await insertPeople(db);
  const said = await clients((who) =>
    db.transaction(async (tx) => {
      const mine = eq(person.name, `name ${who}`);
      await tx.update(person).set({ balance: '100' }).where(mine);
      const nested = await failure(
        tx.transaction(async (inner) => {
          await inner.update(person).set({ balance: '200' }).where(mine);
          await inner.insert(person).values({ name: `name ${who}` });
        }),
      );
      const back = await tx
        .transaction((inner) => {
          inner.rollback();
          return Promise.resolve();
        })
        .catch((error: Error) => error.message);
      const balance = await tx.select({ balance: person.balance }).from(person).where(mine);
      return { nested, back, balance };
    }),
  );
  const readOnly = await failure(
    db.transaction((tx) => tx.delete(person), {
      isolationLevel: 'serializable',
      accessMode: 'read only',
      deferrable: true,
    }),
  );
  const aborted = await failure(
    db.transaction(async (tx) => {
      await failure(tx.execute(sql`SELECT 1 / 0`));
      await tx.select().from(person);
    }),
  );
  const missing = await failure(db.execute(sql`SELECT nothing FROM ${person}`));
  const refused = await failure(db.insert(note).values({ personId: -1, text: '' }));
  const total = await db.select({ total: sum(person.balance) }).from(person);
  return { said, readOnly, aborted, missing, refused, total };
}

describe.each(drivers)('Drizzle over $name through three connections', ({ use }) => {
  let both: BothWays;

  beforeAll(async () => {
    both = await BothWays.start();
  });

  afterAll(async () => {
    await both?.stop();
  });

  const prepare = 'DROP SCHEMA IF EXISTS drizzle CASCADE';

  it('migrates once, and then no more', async () => {
    // Each client is a program of its own, which finds nothing to do after the first.
    const list = (db: Database) => db.select().from(applied).orderBy(applied.id);
    const program = (url: string) => use(url, () => clients(() => use(url, list)));
    const said = await both.compare(program, prepare);
    expect(said.map((rows) => rows.length)).toEqual(said.map(() => 2));
  });

  it.each([
    ['typical queries', queries],
    ['prepared statements', prepared],
    ['transactions', transactions],
  ])('%s', async (_, program) => {
    const said = await both.compare((url) => use(url, program), prepare);
    expect(JSON.stringify(said).length).toBeGreaterThan(1000);
  });
});
