/**
 * Makes a PostgreSQL ready to be a cluster: role `admin`, who may create what, schema `sys`. It can
 * be done again at any time, and by several processes at once.
 */
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { ServerLink } from '../server/server-link.ts';
import { quoteName, quoteText } from '../sql-text.ts';
import { ADMIN } from '../statements/system-entity.ts';
import { SYS_MARK, SYS_MARK_OF_ANY, SYS_OBJECTS } from '../sys/sys-schema.sql.ts';
import { ROLE_MARK } from './role-names.ts';
import { ownSql } from './role-sql.ts';

/** Processes that set up, or change roles, take turns by this advisory lock of the database. */
export const ROLES_LOCK = '4711202611220007';

/** Extensions whose functions reach beyond the database, or past the adjudicator. */
const EXTENSIONS = ['adminpack', 'dblink', 'file_fdw', 'lo', 'postgres_fdw'];

/** Roles that are taken over; each takes a few milliseconds. */
const ADOPTED_MAX = 1_000;

export type SetUpParts = {
  /** What PostgreSQL is to keep of the password of a role. */
  verifierOf(role: string): Promise<string>;
  /** The comment that `admin` has: see {@link adminMark}. */
  readonly mark: string;
  readonly log: Log;
};

/** Who the endpoint itself is to the server. */
export type Endpoint = {
  readonly user: string;
  readonly isSuperuser: boolean;
  readonly database: string;
};

/**
 * @param link of the endpoint itself, in a transaction
 * @throws GatewayError `MR_SETUP_REFUSED` when the endpoint lacks a right, or would take over what
 *   is somebody else's; its text says what to do
 * @throws ServerError what PostgreSQL refused
 */
export async function setUp(link: ServerLink, parts: SetUpParts): Promise<Endpoint> {
  const { log } = parts;
  await link.query(`SELECT pg_advisory_xact_lock(${ROLES_LOCK})`);
  const endpoint = await readEndpoint(link);
  await makeAdmin(link, parts, endpoint);
  await giveRights(link, endpoint);
  await makeSys(link, endpoint);
  if (endpoint.isSuperuser) await closeDoors(link);
  else {
    const what = 'large objects and extensions stay open, and deadlock_timeout stays what it is';
    log.warn({ user: endpoint.user }, `the endpoint is no superuser of its PostgreSQL: ${what}`);
  }
  return endpoint;
}

const refused = (subject: string): GatewayError =>
  new GatewayError('MR_SETUP_REFUSED', { subject });

async function readEndpoint(link: ServerLink): Promise<Endpoint> {
  const { rows } = await link.query(
    `SELECT current_user, r.rolsuper, r.rolcreaterole, current_database(),
      has_database_privilege(current_database(), 'CREATE WITH GRANT OPTION'),
      has_schema_privilege('public', 'CREATE WITH GRANT OPTION')
     FROM pg_roles AS r WHERE r.rolname = current_user`,
  );
  const [user, isSuper, makesRoles, database, ownsDatabase, ownsPublic] = rows[0] as string[];
  const endpoint = { user, isSuperuser: isSuper === 't', database } as Endpoint;
  if (endpoint.isSuperuser) return endpoint;
  const name = quoteName(endpoint.user);
  if (makesRoles !== 't') throw refused(`role ${name} has neither SUPERUSER nor CREATEROLE`);
  const alter = `ALTER DATABASE ${quoteName(endpoint.database)} OWNER TO ${name}`;
  if (ownsDatabase !== 't') throw refused(`role ${name} does not own the database: ${alter}`);
  const owner = `ALTER SCHEMA public OWNER TO ${name}`;
  if (ownsPublic !== 't') throw refused(`role ${name} does not own schema public: ${owner}`);
  return endpoint;
}

async function makeAdmin(link: ServerLink, parts: SetUpParts, endpoint: Endpoint): Promise<void> {
  const { rows } = await link.query(
    `SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
      shobj_description(r.oid, 'pg_authid'),
      EXISTS (SELECT FROM pg_database AS d WHERE d.datdba = r.oid),
      (SELECT g.rolname FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid
        WHERE m.member = r.oid
          AND shobj_description(g.oid, 'pg_authid') IS DISTINCT FROM $2 LIMIT 1)
     FROM pg_roles AS r WHERE r.rolname = $1`,
    [ADMIN, ROLE_MARK],
  );
  const password = `PASSWORD${quoteText(await parts.verifierOf(ADMIN))}`;
  const [found] = rows;
  if (found === undefined) {
    await link.query(`CREATE ROLE ${ADMIN} LOGIN ${password}`);
  } else {
    const [hasMore, mark, ownsDatabase, group] = found;
    checkMark(mark ?? null, parts.mark);
    if (hasMore === 't') throw refused(`role ${ADMIN} may do more than a client should`);
    if (ownsDatabase === 't') throw refused(`role ${ADMIN} owns a database`);
    if (group !== null) throw refused(`role ${ADMIN} is a member of ${quoteName(group ?? '')}`);
    await link.query(`ALTER ROLE ${ADMIN} LOGIN ${password}`);
    if (mark === ROLE_MARK) await adopt(link, parts);
  }
  const database = endpoint.isSuperuser ? endpoint.database : null;
  for (const sql of ownSql(ADMIN, database, parts.mark)) await link.query(sql);
}

/** Whether role `admin` is this cluster's, or is handed over to whoever comes. */
function checkMark(found: string | null, own: string): void {
  if (found === own || found === ROLE_MARK) return;
  const comment = `COMMENT ON ROLE ${ADMIN} IS '${ROLE_MARK}'`;
  if (!found?.startsWith(ROLE_MARK)) {
    throw refused(`role ${ADMIN} is there already; rename it, or hand it over by ${comment}`);
  }
  const why = 'a server holds the roles of one cluster';
  throw refused(`role ${ADMIN} is another cluster’s, and ${why}; if that is gone: ${comment}`);
}

/** The roles of a cluster that is gone become this one's: it logs in to them by its own secret. */
async function adopt(link: ServerLink, parts: SetUpParts): Promise<void> {
  const { rows } = await link.query(
    `SELECT r.rolname FROM pg_roles AS r
     WHERE shobj_description(r.oid, 'pg_authid') = $1 AND r.rolname <> $2 LIMIT $3`,
    [ROLE_MARK, ADMIN, String(ADOPTED_MAX + 1)],
  );
  if (rows.length > ADOPTED_MAX) throw refused(`there are more than ${ADOPTED_MAX} roles`);
  for (const [role] of rows) {
    const verifier = quoteText(await parts.verifierOf(role ?? ''));
    await link.query(`ALTER ROLE ${quoteName(role ?? '')} PASSWORD${verifier}`);
  }
}

/** Everybody may connect; only `admin` may make schemas, and tables in `public`. */
async function giveRights(link: ServerLink, { database }: Endpoint): Promise<void> {
  const name = quoteName(database);
  await link.query(`GRANT CONNECT, TEMPORARY ON DATABASE ${name} TO PUBLIC`);
  await link.query(`REVOKE CREATE ON DATABASE ${name} FROM PUBLIC`);
  await link.query(`GRANT CREATE ON DATABASE ${name} TO ${ADMIN}`);
  await link.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
  await link.query('GRANT USAGE ON SCHEMA public TO PUBLIC');
  await link.query(`GRANT USAGE, CREATE ON SCHEMA public TO ${ADMIN}`);
}

async function makeSys(link: ServerLink, endpoint: Endpoint): Promise<void> {
  const { rows } = await link.query(
    `SELECT r.rolname, r.rolsuper, obj_description(n.oid, 'pg_namespace')
     FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner WHERE n.nspname = 'sys'`,
  );
  const [found] = rows;
  if (found === undefined) {
    await link.query('CREATE SCHEMA sys');
  } else {
    const [owner, isSuper, mark] = found;
    const isEndpoints =
      mark?.startsWith(SYS_MARK_OF_ANY) && (isSuper === 't' || owner === endpoint.user);
    if (!isEndpoints) throw refused('there is a schema sys already, which is somebody else’s');
    // To make the objects again would wait for everybody who has read from them.
    if (mark === SYS_MARK) return;
  }
  for (const sql of SYS_OBJECTS) await link.query(sql);
  await link.query(`COMMENT ON SCHEMA sys IS${quoteText(SYS_MARK)}`);
}

/** What PostgreSQL lets everybody do, and a cluster of Aurora DSQL does not have. */
async function closeDoors(link: ServerLink): Promise<void> {
  const { rows } = await link.query(
    `SELECT p.oid::regprocedure FROM pg_proc AS p
     WHERE p.prokind = 'f' AND has_function_privilege('public', p.oid, 'EXECUTE') AND (
       p.pronamespace = 'pg_catalog'::regnamespace AND p.proname ~ '^(lo_|loread$|lowrite$)'
       OR EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
           AND d.refclassid = 'pg_extension'::regclass AND e.extname = ANY ($1)))`,
    [`{${EXTENSIONS.join(',')}}`],
  );
  const functions = rows.map(([signature]) => signature);
  if (functions.length === 0) return;
  await link.query(`REVOKE EXECUTE ON FUNCTION ${functions.join(', ')} FROM PUBLIC`);
}
