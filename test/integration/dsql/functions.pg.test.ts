/** PostgreSQL's own catalogue beside the lists that the judge of statements has of it. */
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isBuiltinName } from '../../../src/dsql/statements/known-functions.ts';
import { isRefusedBuiltin } from '../../../src/dsql/statements/refused-functions.ts';
import { StatementJudge } from '../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../src/origin/parser.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';

let database: TestDatabase;
let client: pg.Client;

beforeAll(async () => {
  database = await createDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

async function namesOf(query: string): Promise<string[]> {
  const result = await client.query<{ name: string }>(query);
  return result.rows.map(({ name }) => name);
}

/** Volatile, and fit for clients of a shared server: they change nothing but rows and sequences. */
const reviewed = `amvalidate array_sample array_shuffle bernoulli clock_timestamp current_query
  currval gen_random_uuid lastval nextval setval random random_normal timeofday txid_status
  uuidv4 uuidv7 unique_key_recheck pg_blocking_pids pg_safe_snapshot_blocking_pids pg_lock_status
  pg_collation_actual_version pg_database_collation_actual_version pg_database_size
  pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size
  pg_get_multixact_members pg_get_sequence_data pg_get_wait_events pg_is_in_recovery
  pg_jit_available pg_partition_ancestors pg_partition_tree pg_sequence_last_value pg_sleep
  pg_sleep_for pg_sleep_until pg_stat_clear_snapshot pg_stat_get_backend_io
  pg_stat_get_backend_wal pg_stat_get_io pg_stat_get_recovery_prefetch
  pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
  pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time
  pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched
  pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
  pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
  pg_stat_get_xact_tuples_updated pg_stat_have_stats pg_xact_commit_timestamp
  pg_xact_commit_timestamp_origin pg_xact_status`.split(/\s+/);

/** What takes or answers no values of SQL cannot be called. */
const callable = `prorettype NOT IN ('internal'::regtype, 'trigger'::regtype,
  'event_trigger'::regtype, 'language_handler'::regtype, 'index_am_handler'::regtype,
  'table_am_handler'::regtype, 'tsm_handler'::regtype, 'fdw_handler'::regtype)
  AND NOT 'internal'::regtype::oid = ANY (proargtypes::oid[])`;

// dsql §3.13
it('every volatile function is refused or has been reviewed', async () => {
  const names = await namesOf(`
    SELECT DISTINCT proname::text AS name FROM pg_proc
     WHERE pronamespace = 'pg_catalog'::regnamespace AND provolatile = 'v' AND ${callable}
       AND proname NOT LIKE 'plpgsql%'`);
  const reviewedNames = new Set(reviewed);
  const unknown = names.filter((name) => !isRefusedBuiltin(name) && !reviewedNames.has(name));
  expect(unknown).toEqual([]);
  expect(names.length).toBeGreaterThan(150);
});

// dsql §3.13
it('no operator, cast, type or aggregate reaches a function that is refused', async () => {
  const names = await namesOf(`
    SELECT proname::text AS name FROM pg_proc WHERE oid IN (
      SELECT oprcode FROM pg_operator UNION SELECT castfunc FROM pg_cast
      UNION SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]::oid[]) FROM pg_type
      UNION SELECT unnest(ARRAY[aggtransfn, aggfinalfn]::oid[]) FROM pg_aggregate)`);
  expect(names.filter(isRefusedBuiltin)).toEqual([]);
  expect(names.length).toBeGreaterThan(500);
});

it('functions that clients call are known to be built in', async () => {
  const names = await namesOf(`
    SELECT DISTINCT p.proname::text AS name FROM pg_proc p JOIN pg_description d
        ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND ${callable}
       AND d.description !~ '^(I/O|internal|implementation of|aggregate transition|transition)'
       AND d.description !~ '(support|selectivity|typmod|sort support|conversion)'
       AND p.oid NOT IN (SELECT oprcode FROM pg_operator)`);
  const unknown = names.filter((name) => !isBuiltinName(name) && !isRefusedBuiltin(name));
  expect(unknown.filter((name) => !isForTheServer(name))).toEqual([]);
});

/** Combining and finishing of aggregates, hashing, comparing: called by the server only. */
const isForTheServer = (name: string): boolean =>
  /(_combine|_final|_finalfn|_accum|_accum_inv|_transfn|serialize|hash.*|_avg|_sum|_validator)$/.test(
    name,
  ) ||
  /^(hash|ordered_set|numeric_poly|prsd_|bool_all|bool_any|interval_|numeric_|int8_|cid)/.test(
    name,
  );

it('settings can be changed through a view of pg_settings, which is why there may be none', async () => {
  await client.query('CREATE VIEW v AS SELECT * FROM pg_settings');
  await client.query("UPDATE v SET setting = '123' WHERE name = 'work_mem'");
  expect(await namesOf('SHOW work_mem')).toHaveLength(1);
  const shown = await client.query<{ work_mem: string }>('SHOW work_mem');
  expect(shown.rows[0]?.work_mem).toBe('123kB');
  const judge = new StatementJudge(await loadParser());
  expect(judge.judge('CREATE VIEW v AS SELECT * FROM pg_settings').refused).not.toBeNull();
});
