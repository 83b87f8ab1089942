import {
  type ColumnType,
  type Generated,
  Kysely,
  type Migration,
  Migrator,
  PostgresDialect,
  sql,
} from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BothWays } from '../support/both-ways.ts';

/** Four times as many as there are connections. */
const CLIENTS = 12;

type Tables = {
  account: {
    id: Generated<number>;
    name: string;
    balance: ColumnType<string, number, number>;
    details: ColumnType<unknown, string, string> | null;
  };
  transfer: {
    id: Generated<number>;
    from_id: number;
    to_id: number;
    amount: ColumnType<string, number, number>;
    at: Generated<Date>;
  };
};

type Database = Kysely<Tables>;

const migrations: Readonly<Record<string, Migration>> = {
  '1_accounts': {
    async up(db) {
      await db.schema
        .createTable('account')
        .addColumn('id', 'integer', (column) => column.primaryKey().generatedAlwaysAsIdentity())
        .addColumn('name', 'text', (column) => column.notNull().unique())
        .addColumn('balance', 'numeric(12, 2)', (column) => column.notNull())
        .addColumn('details', 'jsonb')
        .addCheckConstraint('solvent', sql`balance >= 0`)
        .execute();
    },
    async down(db) {
      await db.schema.dropTable('account').execute();
    },
  },
  '2_transfers': {
    async up(db) {
      await db.schema
        .createTable('transfer')
        .addColumn('id', 'serial', (column) => column.primaryKey())
        .addColumn('from_id', 'integer', (column) => column.references('account.id').notNull())
        .addColumn('to_id', 'integer', (column) => column.references('account.id').notNull())
        .addColumn('amount', 'numeric(12, 2)', (column) => column.notNull())
        .addColumn('at', 'timestamptz', (column) => column.notNull().defaultTo(sql`now()`))
        .execute();
      await db.schema.createIndex('by_from').on('transfer').column('from_id').execute();
    },
    async down(db) {
      await db.schema.dropTable('transfer').execute();
    },
  },
};

const broken: Migration = {
  async up(db) {
    await db.schema.createTable('half').addColumn('n', 'integer').execute();
    await sql`SELECT nothing`.execute(db);
  },
};

function migrator(db: Database, more: Readonly<Record<string, Migration>> = {}): Migrator {
  const all = { ...migrations, ...more };
  return new Migrator({ db, provider: { getMigrations: () => Promise.resolve(all) } });
}

async function use<T>(url: string, work: (db: Database) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString: url, max: CLIENTS });
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

const clients = <T>(work: (who: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CLIENTS }, (_, who) => work(who)));

/** What happened, as a program can act on it. */
async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    return { code, message };
  }
  throw new Error('it did not fail');
}

/** All programs at once bring the database up to date: a lock of the migrator lets one do it. */
async function migrating(db: Database): Promise<unknown> {
  const ups = await clients(() => migrator(db).migrateToLatest());
  const failures = ups.flatMap(({ error }) => (error === undefined ? [] : [String(error)]));
  const done = ups.flatMap(({ results = [] }) => results);
  const half = await migrator(db, { '3_broken': broken }).migrateToLatest();
  const tables = await db.introspection.getTables();
  const down = await migrator(db).migrateDown();
  const again = await migrator(db).migrateToLatest();
  const said = { error: String(half.error), results: half.results };
  return { failures, done, said, tables, down: down.results, again: again.results };
}

async function open(db: Database): Promise<void> {
  const { error } = await migrator(db).migrateToLatest();
  if (error !== undefined) throw error;
  const values = (who: number) => ({
    name: `name ${who}`,
    balance: 100 + who,
    details: JSON.stringify({ who, list: [1, null] }),
  });
  await clients((who) => db.insertInto('account').values(values(who)).execute());
}

async function queries(db: Database): Promise<unknown> {
  await open(db);
  const joined = await clients((who) =>
    db
      .with('rich', (cte) => cte.selectFrom('account').selectAll().where('balance', '>', '105'))
      .selectFrom('account as a')
      .leftJoin('rich as r', 'r.id', 'a.id')
      .select(({ fn, ref }) => [
        'a.name',
        'a.balance',
        'a.details',
        fn.coalesce('r.name', sql<string>`'poor'`).as('rich'),
        sql<string>`upper(${ref('a.name')})`.as('loud'),
      ])
      .where('a.name', 'in', [`name ${who}`, 'name 0', "it's"])
      .orderBy('a.balance', 'desc')
      .execute(),
  );
  const upserted = await clients((who) =>
    db
      .insertInto('account')
      .values({ name: `name ${who % 3}`, balance: 0 })
      .onConflict((conflict) =>
        conflict.column('name').doUpdateSet({ balance: sql`account.balance + 1` }),
      )
      .returning(['name', 'details'])
      .executeTakeFirstOrThrow(),
  );
  const sums = await db
    .selectFrom('account')
    .select(({ fn }) => [fn.sum('balance').as('sum'), fn.countAll().as('count')])
    .executeTakeFirstOrThrow();
  const removed = await db.deleteFrom('account').where('name', '=', 'name 11').executeTakeFirst();
  const none = db.selectFrom('account').selectAll().where('id', '=', -1).executeTakeFirstOrThrow();
  const missing = await failure(none);
  return { joined, upserted, sums, removed: String(removed.numDeletedRows), missing };
}

/** One transfer; tried again from its start when the server could not order it with the others. */
async function transfer(db: Database, from: string, to: string, amount: number): Promise<string> {
  for (;;) {
    try {
      return await db
        .transaction()
        .setIsolationLevel('serializable')
        .execute(async (trx) => {
          const id = async (name: string) =>
            (await trx.selectFrom('account').select('id').where('name', '=', name).execute())[0]
              ?.id;
          const [from_id = 0, to_id = 0] = [await id(from), await id(to)];
          await trx.insertInto('transfer').values({ from_id, to_id, amount }).execute();
          const change = (account: number, by: number) =>
            trx
              .updateTable('account')
              .set({ balance: sql`balance + ${by}` })
              .where('id', '=', account)
              .execute();
          await change(from_id, -amount);
          await change(to_id, amount);
          return 'done';
        });
    } catch (error) {
      const { code, message } = error as { readonly code?: string; readonly message: string };
      if (code !== '40001' && code !== '40P01') return `${code} ${message}`;
    }
  }
}

async function transactions(db: Database): Promise<unknown> {
  await open(db);
  const moved = await clients((who) =>
    transfer(db, `name ${who}`, `name ${(who + 1) % CLIENTS}`, 10),
  );
  const poor = await transfer(db, 'name 1', 'name 2', 1000);
  const savepoints = await clients(async (who) => {
    const trx = await db.startTransaction().execute();
    await trx
      .insertInto('account')
      .values({ name: `extra ${who}`, balance: 1 })
      .execute();
    const saved = await trx.savepoint('before').execute();
    const values = { name: `extra ${who}`, balance: 2 };
    const twice = await failure(saved.insertInto('account').values(values).execute());
    const aborted = await failure(saved.selectFrom('account').selectAll().execute());
    await saved.rollbackToSavepoint('before').execute();
    const name = `extra ${who}`;
    const row = await trx
      .selectFrom('account')
      .select('balance')
      .where('name', '=', name)
      .execute();
    await (who % 2 === 0 ? trx.commit() : trx.rollback()).execute();
    return { twice, aborted, row };
  });
  const writing = db
    .transaction()
    .setAccessMode('read only')
    .execute((trx) => trx.deleteFrom('transfer').execute());
  const readOnly = await failure(writing);
  const connected = await db.connection().execute(async (one) => {
    await sql`SET e2e.who = 'me'`.execute(one);
    const shown = () => sql`SELECT current_setting('e2e.who') AS who`.execute(one);
    return [(await shown()).rows, (await shown()).rows];
  });
  const left = await db.selectFrom('account').select(['name', 'balance']).orderBy('name').execute();
  const transfers = await db
    .selectFrom('transfer')
    .select(({ fn }) => fn.countAll().as('count'))
    .execute();
  return { moved, poor, savepoints, readOnly, connected, left, transfers };
}

describe('Kysely over pg through three connections', () => {
  let both: BothWays;

  beforeAll(async () => {
    both = await BothWays.start();
  });

  afterAll(async () => {
    await both?.stop();
  });

  it.each([
    ['migrations', migrating],
    ['typical queries', queries],
    ['transactions', transactions],
  ])('%s', async (_, program) => {
    const said = await both.compare((url) => use(url, program));
    expect(JSON.stringify(said).length).toBeGreaterThan(1000);
  });
});
