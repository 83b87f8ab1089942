import type { Binaries } from './binaries.ts';
import { type Role, runStandalone } from './cluster.ts';
import type { Home } from './cluster-home.ts';
import { demoSql } from './demo.sql.ts';

/** Name of the database with the demo. */
export const demoDatabase = 'demo';

/** A string constant, for a server with `standard_conforming_strings`. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Makes the role when absent, and in any case gives it this password and these attributes. */
function roleSql({ user, password }: Role, attributes: string): string {
  return [
    `DO $millrace$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${user}')`,
    `THEN CREATE ROLE "${user}"; END IF; END $millrace$;`,
    `ALTER ROLE "${user}" LOGIN ${attributes} PASSWORD ${quoteLiteral(password)};`,
  ].join('\n');
}

/**
 * Brings a cluster that is not running to what the options of this start say: the superuser exists
 * and has this password, also when an earlier start gave another; and with `demo` there is a plain
 * role, and the database `demo` that it owns. A demo that is there is left as it is.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED`, without any password
 */
export async function initializeDatabase(
  home: Home,
  binaries: Binaries,
  superuser: Role,
  demo: Role | null,
): Promise<void> {
  const secrets = [superuser.password, ...(demo === null ? [] : [demo.password])];
  const commands = [roleSql(superuser, 'SUPERUSER')];
  if (demo !== null) {
    commands.push(roleSql(demo, 'NOSUPERUSER'));
    commands.push(`SELECT count(*) AS demos FROM pg_database WHERE datname = '${demoDatabase}'`);
  }
  const said = await runStandalone(home, binaries, 'postgres', commands, secrets);
  if (demo === null || said.includes('demos = "1"')) return;
  await makeDemo(home, binaries, demo, secrets);
}

/**
 * A stand-alone server hands out object ids from below 16384 (FirstNormalObjectId of `transam.h`),
 * which count as PostgreSQL's own. They are used up, so that the demo is like what users make.
 */
const USE_UP_SYSTEM_IDS = `DO $millrace$ DECLARE id oid; BEGIN LOOP
  id := lo_create(0); PERFORM lo_unlink(id); EXIT WHEN id >= 16384::oid;
END LOOP; END $millrace$`;

/**
 * The database gets its name when it is loaded: one that was cut short is dropped and made anew,
 * and one called `demo` is the user's to keep.
 */
async function makeDemo(
  home: Home,
  binaries: Binaries,
  demo: Role,
  secrets: readonly string[],
): Promise<void> {
  const draft = `${demoDatabase}_draft`;
  const make = [
    `DROP DATABASE IF EXISTS ${draft}`,
    USE_UP_SYSTEM_IDS,
    `CREATE DATABASE ${draft} OWNER "${demo.user}"`,
  ];
  await runStandalone(home, binaries, 'postgres', make, secrets);
  const load = `SET ROLE "${demo.user}";\n${demoSql}`;
  await runStandalone(home, binaries, draft, [load], secrets);
  const finish = [
    `COMMENT ON DATABASE ${draft} IS 'A small mill: customers, products and orders'`,
    `ALTER DATABASE ${draft} RENAME TO ${demoDatabase}`,
  ];
  await runStandalone(home, binaries, 'postgres', finish, secrets);
}
