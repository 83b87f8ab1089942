/** What `millrace dev` tells of its DSQL cluster. */
import { shellQuote as quote } from './shell-quote.ts';

/** The part of `dev --json`; its keys are a contract. */
export type DsqlReady = {
  /** The name of the cluster, which tokens are signed for. */
  readonly endpoint: string;
  /** The address that it is at. */
  readonly host: string;
  readonly port: number;
  readonly region: string;
  /** PEM file with the certificate of the authority to trust. */
  readonly ca_file: string;
  readonly access_key_id: string;
  readonly secret_access_key: string;
  /** `endpoint` for SDKs: the control plane of DSQL, and STS. Null when there is no API. */
  readonly api_url: string | null;
};

/** The lines for people, the first of which is a title. */
export function dsqlText(
  ready: DsqlReady & { readonly command: string },
): readonly [string, ...string[]] {
  const { endpoint, host, port, region, ca_file: caFile, api_url: apiUrl } = ready;
  const parameters = [
    `host=${endpoint}`,
    `hostaddr=${host}`,
    `port=${port}`,
    'user=admin',
    'dbname=postgres',
    'sslmode=verify-full',
    `sslrootcert=${caFile}`,
  ];
  return [
    'Aurora DSQL endpoint',
    `  ${endpoint}, which is at ${host}:${port}`,
    `  authority of its certificate  ${caFile}`,
    '  Keys:',
    `    export AWS_ACCESS_KEY_ID=${quote(ready.access_key_id)}`,
    `    export AWS_SECRET_ACCESS_KEY=${quote(ready.secret_access_key)}`,
    `    export AWS_REGION=${quote(region)}`,
    '  psql, with the keys above:',
    `    PGPASSWORD="$(${ready.command} token dsql --host ${endpoint} --user admin)" \\`,
    `      psql ${quote(parameters.join(' '))}`,
    '  Node, with the keys above, after npm i @aws/aurora-dsql-node-postgres-connector:',
    `    import { AuroraDSQLClient } from '@aws/aurora-dsql-node-postgres-connector';`,
    `    import { readFileSync } from 'node:fs';`,
    `    import net from 'node:net';`,
    `    class Here extends net.Socket { connect() { return super.connect(${port}, '${host}'); } }`,
    `    const client = new AuroraDSQLClient({ host: '${endpoint}', user: 'admin',`,
    `      ssl: { ca: readFileSync('${caFile}') }, stream: () => new Here() });`,
    '    await client.connect();',
    '  Anything else, with a line in /etc/hosts:',
    `    ${host} ${endpoint}`,
    ...(apiUrl === null
      ? []
      : [
          '  Control plane and STS, for SDKs and the AWS CLI:',
          `    export AWS_ENDPOINT_URL_DSQL=${quote(apiUrl)} AWS_ENDPOINT_URL_STS=${quote(apiUrl)}`,
        ]),
  ];
}
