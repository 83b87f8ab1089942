/** What a server says of itself once one is logged in. */
import type pg from 'pg';
import { bad, type Finding, good, type HostKind, look } from './findings.ts';

/** The oldest version that PostgreSQL still mends. */
const VERSION_MIN = 14;
/** Links of one configuration when nothing else is said. */
const LINKS_DEFAULT = 20;
const NEAR_MS = 5;

type Facts = {
  readonly version: string;
  readonly version_num: string;
  readonly max_connections: string;
  readonly reserved: string;
  readonly used: string | null;
  readonly wal_level: string;
  readonly in_recovery: boolean;
  readonly can_connect: boolean;
  readonly can_temp: boolean;
  readonly is_super: boolean;
  readonly readable: string;
  readonly tables: string;
  readonly can_create: boolean;
};

/** `pg_stat_database` counts the connections of everybody, also for a role without privileges. */
const FACTS = `
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num') AS version_num,
       current_setting('max_connections') AS max_connections,
       current_setting('superuser_reserved_connections') AS reserved,
       (SELECT sum(numbackends) FROM pg_stat_database) AS used,
       current_setting('wal_level') AS wal_level,
       pg_is_in_recovery() AS in_recovery,
       has_database_privilege(current_database(), 'CONNECT') AS can_connect,
       has_database_privilege(current_database(), 'TEMP') AS can_temp,
       current_setting('is_superuser') = 'on' AS is_super,
       t.readable, t.tables,
       EXISTS (SELECT FROM pg_namespace n
               WHERE n.nspname = ANY (current_schemas(false))
                 AND has_schema_privilege(n.oid, 'CREATE')) AS can_create
FROM (SELECT count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')
                              AND has_schema_privilege(n.oid, 'USAGE')) AS readable,
             count(*) AS tables
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^pg_'
        AND n.nspname <> 'information_schema') AS t`;

function ofVersion({ version, version_num }: Facts): Finding {
  const major = Math.floor(Number(version_num) / 10_000);
  return major >= VERSION_MIN
    ? good('version', `PostgreSQL ${version}`)
    : look('version', `PostgreSQL ${version} is no longer mended`, `go to ${VERSION_MIN} or later`);
}

function ofConnections({ max_connections, reserved, used }: Facts): Finding {
  const total = Number(max_connections) - Number(reserved);
  const free = total - Number(used ?? 0);
  const text = `${used ?? 'an unknown number'} of ${total} connections are taken`;
  if (free >= LINKS_DEFAULT) return good('connections', text);
  const fix = `set origin_connection_limit below ${Math.max(1, free)}, or raise max_connections`;
  return look('connections', `${text}: a gateway takes up to ${LINKS_DEFAULT}`, fix);
}

function ofRecovery({ in_recovery }: Facts, kind: HostKind): Finding {
  if (!in_recovery) return good('role', 'it takes writes');
  const fix =
    kind === 'aurora-reader' ? 'use the endpoint of type Writer' : 'connect to the primary';
  return look('role', 'it is a replica: writes fail there', fix);
}

function ofPrivileges(facts: Facts): readonly Finding[] {
  const { is_super, readable, tables, can_create, can_temp } = facts;
  if (is_super) {
    const fix = 'give the gateway a role of its own: millrace setup-role';
    return [look('privileges', 'this is a superuser', fix)];
  }
  const findings: Finding[] = [];
  if (Number(readable) < Number(tables)) {
    const text = `it may read ${readable} of ${tables} tables and views`;
    findings.push(look('privileges', text, 'GRANT what is missing, or run millrace setup-role'));
  } else findings.push(good('privileges', `it may read all of ${tables} tables and views`));
  if (!can_temp) {
    const fix = 'GRANT TEMPORARY ON DATABASE, when applications use them';
    findings.push(look('temporary tables', 'it may not make any', fix));
  }
  const create = can_create ? 'it may make tables' : 'it may not make tables';
  findings.push(good('schema', create));
  return findings;
}

function ofWal({ wal_level }: Facts, kind: HostKind): Finding {
  if (wal_level === 'logical') return good('wal_level', 'logical');
  const how = kind === 'other' ? 'wal_level = logical' : 'rds.logical_replication = 1';
  const fix = `enough for the gateway; logical replication needs ${how}, and a restart`;
  return good('wal_level', `${wal_level}; ${fix}`);
}

/** Of a logged-in client. Rejects when the server does not answer. */
export async function serverFindings(client: pg.Client, kind: HostKind): Promise<Finding[]> {
  const { rows } = await client.query<Facts>(FACTS);
  const [facts] = rows;
  if (facts === undefined) return [bad('server', 'it says nothing of itself', '')];
  return [
    ofVersion(facts),
    ofRecovery(facts, kind),
    ofConnections(facts),
    ...ofPrivileges(facts),
    ofWal(facts, kind),
  ];
}

/** Of a client that is logged in at Aurora DSQL, which has no answer to most of the others. */
export async function dsqlFindings(client: pg.Client): Promise<Finding[]> {
  const { rows } = await client.query<{ version: string; user: string; tables: string }>(
    `SELECT current_setting('server_version') AS version, current_user AS user,
      (SELECT count(*) FROM information_schema.tables
        WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'sys')) AS tables`,
  );
  const { version = '', user = '', tables = '' } = rows[0] ?? {};
  const fix =
    'give the gateway a role of its own: CREATE ROLE r WITH LOGIN; ' +
    "AWS IAM GRANT r TO 'arn:…'; and GRANT what it needs";
  return [
    good('version', `Aurora DSQL, as PostgreSQL ${version}`),
    user === 'admin'
      ? look('privileges', 'this is admin, who may do anything', fix)
      : good('privileges', `the role ${user} sees ${tables} tables and views`),
  ];
}

export function ofRoundTrip(queryMs: number): Finding {
  const text = `${queryMs.toFixed(1)} ms`;
  if (queryMs <= NEAR_MS) return good('round trip', text);
  return look(
    'round trip',
    text,
    'every query waits that long: run the gateway next to the database',
  );
}
