/** A gateway before the stand-in for Aurora DSQL, before a database of its own. */
import pg from 'pg';
import type { ConfigurationConfig, OriginConfig } from '../../src/config/model.ts';
import { DSQL_HOST, DSQL_REGION, DSQL_SERVER_NAME, type DsqlOptions, DsqlStandIn } from './dsql.ts';
import { type GatewayOptions, TestGateway } from './gateway.ts';
import { plainOrigin } from './origin.ts';
import { createDatabase, superuserUrl, type TestDatabase } from './pg.ts';
import { pki } from './pki.ts';

export const DSQL_KEY_ID = 'AKIADSQL';
export const DSQL_SECRET = 'dsql-secret';

export type DsqlStage = {
  readonly database: TestDatabase;
  readonly dsql: DsqlStandIn;
  readonly gateway: TestGateway;
  /** Runs SQL at the database itself. */
  sql(text: string): Promise<void>;
  stop(): Promise<void>;
};

/** Roles are the whole server's: several tests may make it at once. */
async function makeAdmin(): Promise<string> {
  const { password } = new URL(superuserUrl());
  const client = new pg.Client({ connectionString: superuserUrl() });
  await client.connect();
  await client
    .query(`CREATE ROLE admin LOGIN SUPERUSER PASSWORD '${password}'`)
    .catch(() => {})
    .finally(() => client.end());
  return password;
}

/** Where the stand-in finds its database. */
export async function upstreamOf(database: TestDatabase): Promise<OriginConfig> {
  const password = await makeAdmin();
  const url = new URL(database.url);
  return plainOrigin({
    host: url.hostname,
    port: Number(url.port),
    database: database.name,
    user: 'admin',
    password,
  });
}

/** The origin as a configuration for the stand-in has it. */
export function dsqlOrigin(dsql: DsqlStandIn, changes: Partial<OriginConfig> = {}): OriginConfig {
  return plainOrigin({
    kind: 'dsql',
    host: '127.0.0.1',
    port: dsql.port,
    database: 'postgres',
    user: 'admin',
    password: null,
    auth: {
      method: 'dsql-iam',
      host: DSQL_HOST,
      region: DSQL_REGION,
      profile: null,
      roleArn: null,
      externalId: null,
    },
    sslmode: 'verify-full',
    tlsServerName: DSQL_SERVER_NAME,
    ca: pki('ca.crt'),
    ...changes,
  });
}

/** Has the gateway's first configuration be another one. */
export async function reconfigure(
  { gateway, config }: TestGateway,
  changes: Partial<ConfigurationConfig>,
): Promise<void> {
  const [configuration] = config.configurations as [ConfigurationConfig];
  await gateway.reload({ ...config, configurations: [{ ...configuration, ...changes }] });
}

/** The environment must have the key: see {@link DSQL_KEY_ID}. */
export async function dsqlStage(
  options: GatewayOptions = {},
  standIn: Omit<DsqlOptions, 'upstream'> = {},
  changes: Partial<ConfigurationConfig> = {},
): Promise<DsqlStage> {
  const database = await createDatabase();
  const dsql = await DsqlStandIn.start({ ...standIn, upstream: await upstreamOf(database) });
  dsql.keys.set(DSQL_KEY_ID, { secretKey: DSQL_SECRET, session: null });
  const gateway = await TestGateway.start(options, database);
  await reconfigure(gateway, { origin: dsqlOrigin(dsql), ...changes });
  return {
    database,
    dsql,
    gateway,
    sql: async (text) => {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      await client.query(text).finally(() => client.end());
    },
    stop: async () => {
      await gateway.stop();
      dsql.close();
      await database.drop();
    },
  };
}
