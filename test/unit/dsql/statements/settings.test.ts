import { beforeAll, describe, expect, it } from 'vitest';
import { fixedSettings, refusedSetting } from '../../../../src/dsql/statements/settings.ts';
import { StatementJudge } from '../../../../src/dsql/statements/statement-judge.ts';
import { loadParser } from '../../../../src/origin/parser.ts';

let judge: StatementJudge;
beforeAll(async () => {
  judge = new StatementJudge(await loadParser());
});

function outcome(text: string) {
  const { statements, refused } = judge.judge(text);
  return refused?.message ?? statements[0]?.action;
}

const refusal = (name: string) => `setting configuration parameter "${name}" not supported`;
const set = (name: string | null, value: string | null, isLocal = false) => ({
  kind: 'set',
  name,
  value,
  isLocal,
});

const allowed =
  `application_name client_encoding datestyle extra_float_digits intervalstyle timezone
  search_path enable_bitmapscan enable_hashjoin enable_indexonlyscan enable_indexscan
  enable_material enable_mergejoin enable_nestloop enable_seqscan
  dsql.enable_batched_nestloop disable_sync_create_index`.split(/\s+/);

const refused = `tcp_keepalives_idle work_mem shared_buffers statement_timeout lock_timeout
  idle_in_transaction_session_timeout wal_level synchronous_commit log_statement
  client_min_messages synchronize_seqscans row_security standard_conforming_strings
  default_transaction_isolation default_transaction_read_only my.setting`.split(/\s+/);

describe('settings that a session may have', () => {
  // dsql §1.23
  it.each(allowed)('%s is set, set locally and reset', (name) => {
    const value = name === 'client_encoding' ? 'Utf-8' : 'x';
    expect(refusedSetting(name.toUpperCase(), value)).toBeNull();
    expect(outcome(`SET ${name} = '${value}'`)).toEqual(set(name, value));
    expect(outcome(`SET LOCAL ${name} TO '${value}'`)).toEqual(set(name, value, true));
    expect(outcome(`SET SESSION ${name} TO DEFAULT`)).toEqual(set(name, null));
    expect(outcome(`RESET ${name}`)).toEqual(set(name, null));
  });

  // dsql §1.26
  it.each(refused)('%s is refused by its name as it is written', (name) => {
    expect(refusedSetting(name)).toMatchObject({ sqlstate: '0A000', message: refusal(name) });
    expect(outcome(`SET ${name} = 'x'`)).toBe(refusal(name));
    expect(outcome(`SET LOCAL ${name} = 'x'`)).toBe(refusal(name));
    expect(outcome(`RESET ${name}`)).toBe(refusal(name));
  });

  // dsql §1.25, §1.27, §5.44
  it.each([
    ['SET ROLE r', refusal('role')],
    ['SET SESSION ROLE r', refusal('role')],
    ['RESET ROLE', refusal('role')],
    ['SET LOCAL ROLE r', set('role', 'r', true)],
    ['SET LOCAL ROLE NONE', set('role', 'none', true)],
    ['SET LOCAL ROLE pg_monitor', 'Role pg_monitor not supported'],
    ['SET SESSION AUTHORIZATION r', refusal('session_authorization')],
    ['RESET SESSION AUTHORIZATION', refusal('session_authorization')],
    ['SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY', refusal('SESSION CHARACTERISTICS')],
    ["SET TRANSACTION SNAPSHOT 'x'", refusal('TRANSACTION SNAPSHOT')],
    ['RESET ALL', set(null, null)],
    ["SET NAMES 'utf8'", set('client_encoding', 'utf8')],
    ["SET SCHEMA 'S'", set('search_path', '"S"')],
    ['SET search_path TO "$user", a, "B""C"', set('search_path', '"$user", a, "B""C"')],
    ['SET DateStyle = ISO, DMY', set('datestyle', 'iso, dmy')],
    ['SET extra_float_digits = -1', set('extra_float_digits', '-1')],
    ['SET enable_seqscan = off', set('enable_seqscan', 'off')],
    ["SET TIME ZONE 'Europe/Vienna'", set('timezone', 'Europe/Vienna')],
    ['SET TIME ZONE LOCAL', set('timezone', null)],
    ["SET TIME ZONE INTERVAL '-8' HOUR", set('timezone', "INTERVAL '-8 hours'")],
    ["SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", set('timezone', "INTERVAL '-08:00'")],
    ["SELECT set_config('search_path', '', false)", 'function set_config not supported'],
  ])('%s', (text, expected) => {
    expect(outcome(text)).toEqual(expected);
  });

  it.each(['pg_temp', '"pg_temp", public', 'public, PG_TEMP_3'])(
    'the schema of temporary tables is not in a search_path: %s',
    (path) => {
      const message = 'temporary schemas not supported in search_path';
      expect(refusedSetting('Search_Path', path)?.message).toBe(message);
      expect(outcome(`SET search_path = ${path}`)).toBe(message);
      expect(outcome(`CREATE FUNCTION f() RETURNS int SET search_path = ${path} RETURN 1`)).toBe(
        message,
      );
    },
  );

  it.each(['SJIS', 'LATIN1', 'sql_ascii', "utf8', 'gbk", 'mutf8'])(
    'texts are read in no encoding but that of the judge: %s',
    (encoding) => {
      const message = expect.stringMatching(/^invalid value for parameter "client_encoding": /);
      expect(outcome(`SET client_encoding = '${encoding}'`)).toEqual(message);
      expect(outcome(`SET LOCAL Client_Encoding TO '${encoding}'`)).toEqual(message);
      expect(
        outcome(`CREATE FUNCTION f() RETURNS int SET client_encoding = '${encoding}' RETURN 1`),
      ).toEqual(message);
      expect(refusedSetting('client_encoding', encoding)?.sqlstate).toBe('22023');
    },
  );

  it('shows a setting by its name in lower case, however it is written', () => {
    expect(outcome('SHOW "Server_Version"')).toEqual({ kind: 'show', name: 'server_version' });
    expect(outcome('SHOW TIME ZONE')).toEqual({ kind: 'show', name: 'timezone' });
    expect(outcome('SHOW TRANSACTION ISOLATION LEVEL')).toEqual({
      kind: 'show',
      name: 'transaction_isolation',
    });
    expect(outcome('SHOW SESSION AUTHORIZATION')).toEqual({
      kind: 'show',
      name: 'session_authorization',
    });
    expect(outcome('SHOW ALL')).toEqual({ kind: 'other' });
    expect(fixedSettings.get('server_version')).toBe('16.15');
  });
});
