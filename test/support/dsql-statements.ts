/** What Aurora DSQL refuses of a statement, by PostgreSQL's own parse tree. */
import { originRules } from '../../src/session/origin-rules.ts';
import {
  asList,
  asObject,
  asText,
  type Json,
  type JsonObject,
  nameParts,
  type SqlParser,
} from '../../src/sql/facts/parser.ts';

export type Refused = { readonly sqlstate: string; readonly message: string };

/** How much of the catalogue can be read: what is documented, or also what was seen to work. */
export type CatalogueAccess = 'documented' | 'seen';

const SETTINGS = originRules('dsql').settings ?? new Map();

const FUNCTIONS: ReadonlySet<string> = new Set([
  'set_config',
  'pg_backend_pid',
  'inet_server_addr',
  'inet_server_port',
  // Nobody has told that these work.
  'pg_my_temp_schema',
  'pg_listening_channels',
  'pg_advisory_lock',
  'pg_get_functiondef',
]);

/** System relations that the user guide says are not there. */
const UNDOCUMENTED: ReadonlySet<string> = new Set(
  `pg_aggregate pg_amop pg_amproc pg_authid pg_conversion pg_database pg_enum pg_event_trigger
  pg_extension pg_foreign_data_wrapper pg_foreign_server pg_foreign_table pg_init_privs pg_language
  pg_largeobject pg_opclass pg_opfamily pg_partitioned_table pg_policy pg_proc pg_publication
  pg_rewrite pg_seclabel pg_sequence pg_shseclabel pg_statistic_ext pg_statistic_ext_data
  pg_subscription pg_transform pg_trigger pg_user_mapping pg_locks pg_cursors
  pg_prepared_statements pg_settings pg_stat_activity pg_stat_database`.split(/\s+/),
);
/** Of those, what others have read all the same. */
const SEEN: ReadonlySet<string> = new Set(
  'pg_proc pg_rewrite pg_enum pg_policy pg_extension pg_sequence'.split(' '),
);

const STATEMENTS: Readonly<Record<string, string>> = {
  TruncateStmt: 'unsupported statement: Truncate',
  ListenStmt: 'unsupported statement: Listen',
  NotifyStmt: 'unsupported statement: Notify',
  UnlistenStmt: 'unsupported statement: Unlisten',
  LockStmt: 'unsupported statement: Lock',
  DiscardStmt: 'unsupported statement: Discard',
  DoStmt: 'unsupported statement: Do',
  CreateTrigStmt: 'CREATE TRIGGER not supported',
  CreateExtensionStmt: 'unsupported statement: CreateExtension',
  CreateTableAsStmt: 'unsupported statement: CreateTableAs',
  CreateEnumStmt: 'CREATE TYPE not supported',
  VacuumStmt: 'unsupported VACUUM statement',
};

const SAVEPOINTS: Readonly<Record<string, string>> = {
  TRANS_STMT_SAVEPOINT: 'SAVEPOINT',
  TRANS_STMT_RELEASE: 'RELEASE',
  TRANS_STMT_ROLLBACK_TO: 'ROLLBACK TO',
};

export const refusedSetting = (name: string): Refused => ({
  sqlstate: '0A000',
  message: `setting configuration parameter "${name}" not supported`,
});

const unsupported = (message: string): Refused => ({ sqlstate: '0A000', message });

export function isSettable(name: string): boolean {
  return SETTINGS.has(name.toLowerCase());
}

/** Why the text is refused, or null; what cannot be read is the server's to refuse. */
export function judge(text: string, parser: SqlParser, access: CatalogueAccess): Refused | null {
  let tree: JsonObject;
  try {
    tree = parser.parse(text);
  } catch {
    return null;
  }
  for (const item of asList(tree['stmts'])) {
    const refused = find(asObject(item)?.['stmt'], access);
    if (refused !== null) return refused;
  }
  return null;
}

/** Whether the text is a COMMIT and nothing else. */
export function isCommit(text: string, parser: SqlParser): boolean {
  try {
    const [only, ...more] = asList(parser.parse(text)['stmts']);
    const node = asObject(asObject(asObject(only)?.['stmt'])?.['TransactionStmt']);
    return more.length === 0 && node?.['kind'] === 'TRANS_STMT_COMMIT';
  } catch {
    return false;
  }
}

function find(value: Json | undefined, access: CatalogueAccess): Refused | null {
  if (Array.isArray(value)) {
    for (const item of value) {
      const refused = find(item, access);
      if (refused !== null) return refused;
    }
    return null;
  }
  const object = asObject(value);
  if (object === null) return null;
  for (const [kind, inner] of Object.entries(object)) {
    const node = asObject(inner);
    const refused = (node === null ? null : ofNode(kind, node, access)) ?? find(inner, access);
    if (refused !== null) return refused;
  }
  return null;
}

function ofNode(kind: string, node: JsonObject, access: CatalogueAccess): Refused | null {
  const whole = STATEMENTS[kind];
  if (whole !== undefined) return unsupported(whole);
  switch (kind) {
    case 'VariableSetStmt':
      return ofSet(node);
    case 'TransactionStmt': {
      const word = SAVEPOINTS[asText(node['kind']) ?? ''];
      return word === undefined ? null : unsupported(`unsupported transaction statement: ${word}`);
    }
    case 'FuncCall': {
      const name = nameParts(node['funcname']).at(-1) ?? '';
      const isRefused = FUNCTIONS.has(name) || name.startsWith('pg_advisory_');
      return isRefused ? unsupported(`function ${name} not supported`) : null;
    }
    case 'RangeVar':
      return ofRelation(node, access);
    case 'relation':
      return node['relpersistence'] === 't'
        ? unsupported('TEMPORARY or TEMP table not supported for CREATE TABLE')
        : ofRelation(node, access);
    case 'view':
      return node['relpersistence'] === 't' ? unsupported('TEMPORARY view not supported') : null;
    default:
      return null;
  }
}

function ofSet(node: JsonObject): Refused | null {
  const name = asText(node['name']) ?? '';
  if (node['kind'] === 'VAR_RESET_ALL') return null;
  const isRole = name === 'role' && node['is_local'] === true;
  return isRole || isSettable(name) ? null : refusedSetting(name);
}

function ofRelation(node: JsonObject, access: CatalogueAccess): Refused | null {
  const name = asText(node['relname']) ?? '';
  const isSystem = node['schemaname'] === undefined || node['schemaname'] === 'pg_catalog';
  const isHidden = UNDOCUMENTED.has(name) && !(access === 'seen' && SEEN.has(name));
  return isSystem && isHidden ? unsupported(`relation ${name} not supported`) : null;
}
