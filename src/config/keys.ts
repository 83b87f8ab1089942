/**
 * Every key of the configuration file, once: its schema, default, limits and meaning. The schema
 * validates, and `npm run docs` and the error texts read the same rows.
 */
import * as z from 'zod';
import { isDnsServer } from './dns-server.ts';
import {
  choice,
  integer,
  keyDocs,
  optional,
  optionalInteger,
  required,
  text,
} from './key-kinds.ts';
import { poolingShape } from './pooling.ts';

const HOUR_MS = 3_600_000;

const NAME = 'text of 1 to 63 bytes without control characters';
const SECRET = 'a literal, `env:NAME` or `file:PATH`';
const PATH = 'a path, relative to the configuration file';
/** Shorter ones could be guessed. */
export const API_TOKEN_LENGTH_MIN = 24;

/** No control characters, and not empty. */
const PLAIN = /^[^\p{Cc}]+$/u;
/** PostgreSQL's limit of an identifier is bytes; the byte check is in `resolve.ts`. */
const IDENTIFIER = /^[^\p{Cc}]{1,63}$/u;
/** An address or a name, without a port: `host:1234` has one colon, IPv6 has two or more. */
const ADDRESS = /^(?![^:]*:[^:]*$)[0-9A-Za-z.:%_-]+$/;
const HOST = /^(?!\/)[^\s\p{Cc},]+$/u;
const DNS_SERVERS_MAX = 8;
const HOST_PATTERN = /^(?!.*\?.*\?)[0-9A-Za-z.-]*\?[0-9A-Za-z.-]*$/;
const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;
const ACCOUNT_ID = /^\d{12}$/;
const ROLE_ARN = /^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/;
const VERIFIER = /^(env:.+|file:.+|SCRAM-SHA-256\$\d{1,10}:[\w+/=]+\$[\w+/]{43}=:[\w+/]{43}=)$/;
const ORIGIN_URL = /^(env:.+|file:.+|postgres(ql)?:\/\/.+)$/;

const tls = choice(
  ['off', 'optional', 'required'],
  'Whether clients may (`optional`) or must (`required`) use TLS on this listener.',
);
const tlsClientCert = choice(
  ['off', 'verify-ca', 'verify-full'],
  'Whether clients must show a certificate besides their password, as `clientcert` of ' +
    'pg_hba.conf; with `verify-full` its common name must be the user. Needs `tls = "required"`.',
);
const sslnegotiation = choice(
  ['postgres', 'direct'],
  'How TLS to the origin begins, as `sslnegotiation` of libpq: `direct` saves a round trip and ' +
    'needs PostgreSQL 17 and an `sslmode` of `require` or stronger.',
);
const channelBinding = choice(
  ['disable', 'prefer', 'require'],
  'SCRAM channel binding with the origin, as `channel_binding` of libpq: `require` refuses a ' +
    'server that does not prove that it holds both its certificate and the verifier.',
);
const sslmode = choice(
  ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'],
  'TLS to the origin, as `sslmode` of libpq. Only `verify-full` is safe on a hostile network; ' +
    'without `ca` it trusts the roots of RDS for RDS and Aurora, else the public ones.',
);

const originKind = choice(
  ['postgres', 'rds', 'rds-proxy', 'aurora', 'dsql'],
  'What the origin is, where its host name does not tell.',
);
const reads = choice(
  ['writer', 'readers'],
  'Where reads outside transactions go, at an Aurora cluster: with `readers` to its readers, ' +
    'unless the client has just written; what they answer may be a little behind, and is not ' +
    'cached. See docs/aws.md.',
);
const auth = choice(
  ['password', 'rds-iam', 'dsql-iam', 'secrets-manager'],
  'How to log in at the origin: with `password`, with IAM tokens for RDS and Aurora or for ' +
    'Aurora DSQL, or with what a secret of AWS Secrets Manager says.',
);

/** Process IDs that clients are told have room for twice as many; see `client-registry.ts`. */
export const WORKERS_MAX = 63;

export const topShape = {
  workers: z
    .union([z.literal('auto'), z.int().min(1).max(WORKERS_MAX)])
    .default('auto')
    .register(keyDocs, {
      type: 'integer or string',
      unit: '',
      fallback: '"auto"',
      must: `"auto" or a whole number from 1 to ${WORKERS_MAX}`,
      meaning:
        'Processes that serve clients, `auto` for one on each core, or fewer when memory or ' +
        'connections are short; `--workers` overrides it. ' +
        'With 1 the program is a single process. A change takes effect at the next start.',
    }),
  drain_timeout_ms: integer(
    0,
    HOUR_MS,
    30_000,
    'ms',
    'After SIGTERM, how long open transactions may go on before they are cut.',
  ),
};

export const listenerShape = {
  address: text(ADDRESS).default('127.0.0.1').register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: '"127.0.0.1"',
    must: 'an IP address or host name without a port',
    meaning: 'Where to listen; `0.0.0.0` or `::` for every interface.',
  }),
  port: integer(0, 65_535, 5432, '', 'TCP port to listen on; 0 lets the system choose.'),
  tls: tls.schema.default('off').register(keyDocs, { ...tls.doc, fallback: '"off"' }),
  tls_cert: optional(
    PATH,
    PLAIN,
    'PEM file with the certificate chain, the own certificate first.',
  ),
  tls_key: optional(PATH, PLAIN, 'PEM file with the unencrypted private key of `tls_cert`.'),
  tls_client_ca: optional(
    PATH,
    PLAIN,
    'PEM file with the authorities that sign the certificates of clients.',
  ),
  tls_client_cert: tlsClientCert.schema
    .default('off')
    .register(keyDocs, { ...tlsClientCert.doc, fallback: '"off"' }),
  login_timeout_ms: integer(
    10,
    HOUR_MS,
    15_000,
    'ms',
    'From the accepted connection to the end of authentication; slower clients are cut off.',
  ),
  clients_max: integer(
    1,
    1_000_000,
    10_000,
    '',
    'Clients connected to this listener at once; more are refused with 53300.',
  ),
};

/** Of an origin at AWS; most are only for some values of `auth`. */
const awsShape = {
  aws_region: optional(
    'the name of a region, such as "eu-central-1"',
    REGION,
    'Region of the origin, and of a secret that is not given by its ARN.',
    'by the host name',
  ),
  aws_profile: optional(
    'the name of a profile',
    PLAIN,
    'Profile of the shared files of AWS to take credentials from.',
    'as the AWS SDK finds them',
  ),
  aws_role_arn: optional('the ARN of a role', ROLE_ARN, 'Role to assume with those credentials.'),
  aws_external_id: optional('text', PLAIN, 'External ID that the role asks for.'),
  iam_host: optional(
    'the host name that AWS gave to the endpoint',
    HOST,
    'The endpoint that IAM tokens are signed for, behind a CNAME or a tunnel.',
    '`host`',
  ),
  iam_port: optionalInteger(
    1,
    65_535,
    '`port`',
    'The port that IAM tokens for RDS and Aurora are signed for.',
  ),
  instance_host_pattern: optional(
    'a host name with `?` for the name of the instance',
    HOST_PATTERN,
    'Hosts of the instances of an Aurora cluster whose writer the gateway is to look for, where ' +
      '`host` is not the endpoint that AWS gave to the cluster.',
    'by the host name',
  ),
  reads: reads.schema.optional().register(keyDocs, { ...reads.doc, fallback: '"writer"' }),
  reader_lag_max_ms: optionalInteger(
    1,
    HOUR_MS,
    '1000',
    'Readers that are further behind get no reads; nor does any for so long, and 7.5 seconds ' +
      'more, after a write of the same client or a change of the catalogue: what is known of a ' +
      'reader may be 2.5 seconds old, and that itself 5 seconds. Needs `reads = "readers"`.',
    'ms',
  ),
  secret_id: optional(
    'the ARN or the name of a secret',
    PLAIN,
    'Secret with user and password of the origin, for `auth = "secrets-manager"`.',
  ),
  secret_username_key: optional('text', PLAIN, 'Key of the user in the secret.', '"username"'),
  secret_password_key: optional('text', PLAIN, 'Key of the password there.', '"password"'),
};

export const originShape = {
  url: optional(
    'postgres://USER:PASSWORD@HOST:PORT/DATABASE, `env:NAME` or `file:PATH`',
    ORIGIN_URL,
    'The origin as a connection URL. Percent-encoded as libpq reads it; `sslmode`, ' +
      '`sslnegotiation`, `channel_binding`, `sslrootcert`, `sslcert` and `sslkey` are ' +
      'respected. Stands for `host`, `port`, `database` and `user`; the other keys may add what ' +
      'the URL does not say.',
  ),
  host: optional(
    'a host name or IP address, one and without a port',
    HOST,
    'Host of the origin.',
    'required without `url`',
  ),
  port: optionalInteger(1, 65_535, '5432', 'TCP port of the origin.'),
  dns_servers: z
    .array(z.string().refine(isDnsServer))
    .min(1)
    .max(DNS_SERVERS_MAX)
    .optional()
    .register(keyDocs, {
      type: 'array of strings',
      unit: '',
      fallback: 'the resolver of the system',
      must: `1 to ${DNS_SERVERS_MAX} IP addresses, each with or without a port, as "10.0.0.2:53"`,
      meaning:
        'DNS servers to ask for `host`, in this order; files such as /etc/hosts then have no say.',
    }),
  database: optional(NAME, IDENTIFIER, 'Database at the origin.', 'required without `url`'),
  user: optional(
    NAME,
    IDENTIFIER,
    'Role to log in as at the origin.',
    'required without `url`, unless a secret says it',
  ),
  password: optional(SECRET, PLAIN, 'Password of that role.'),
  kind: originKind.schema
    .optional()
    .register(keyDocs, { ...originKind.doc, fallback: 'by the host name' }),
  auth: auth.schema.optional().register(keyDocs, { ...auth.doc, fallback: '"password"' }),
  ...awsShape,
  sslmode: sslmode.schema
    .optional()
    .register(keyDocs, { ...sslmode.doc, fallback: '"prefer"; `"verify-full"` at AWS' }),
  tls_server_name: optional(
    'a host name',
    HOST,
    'The name to ask for in TLS and to find in the certificate, behind a CNAME or a tunnel.',
    '`iam_host`, else `host`',
  ),
  sslnegotiation: sslnegotiation.schema
    .optional()
    .register(keyDocs, { ...sslnegotiation.doc, fallback: '"postgres"' }),
  channel_binding: channelBinding.schema
    .optional()
    .register(keyDocs, { ...channelBinding.doc, fallback: '"prefer"' }),
  ca: optional(PATH, PLAIN, 'PEM file with the certificate authorities to trust.'),
  client_cert: optional(PATH, PLAIN, 'PEM file with the certificate to show to the origin.'),
  client_key: optional(PATH, PLAIN, 'PEM file with the unencrypted private key of `client_cert`.'),
};

export const credentialShape = {
  user: required(NAME, IDENTIFIER, 'Name a client logs in with.'),
  verifier: optional(
    'SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY, `env:NAME` or `file:PATH`',
    VERIFIER,
    'SCRAM verifier as in `pg_authid.rolpassword`; the gateway then never knows the password.',
    'this or `password`',
  ),
  password: optional(SECRET, PLAIN, 'Password of that client.', 'this or `verifier`'),
};

export const configurationShape = {
  name: required(NAME, IDENTIFIER, 'What clients give as database name.'),
  ...poolingShape,
};

export const apiShape = {
  address: text(ADDRESS).default('127.0.0.1').register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: '"127.0.0.1"',
    must: 'an IP address or host name without a port',
    meaning: 'Where the API listens; beyond this machine only with `tls_cert` and `tls_key`.',
  }),
  port: integer(0, 65_535, 5480, '', 'TCP port of the API; 0 lets the system choose.'),
  tls_cert: optional(PATH, PLAIN, 'PEM file with the certificate chain of the API.'),
  tls_key: optional(PATH, PLAIN, 'PEM file with the unencrypted private key of `tls_cert`.'),
  token: required(
    `${SECRET}; at least ${API_TOKEN_LENGTH_MIN} characters`,
    PLAIN,
    'Bearer token that may do everything; further ones are made through the API.',
  ),
};

export const storeShape = {
  url: optional(
    'postgres://USER:PASSWORD@HOST:PORT/DATABASE, `env:NAME` or `file:PATH`',
    ORIGIN_URL,
    'The PostgreSQL that keeps what the API manages, in a schema `millrace` that the user of the ' +
      'URL must be able to make. Without it an embedded one below `data_dir`.',
  ),
  data_dir: optional(
    PATH,
    PLAIN,
    'Directory of the embedded PostgreSQL of the store. Not used with `url`.',
    '"millrace-data"',
  ),
  key: optional(
    '`env:NAME` or `file:PATH`',
    /^(env|file):.+$/,
    'Master key that seals the secrets in the store: 32 bytes in base64 or hexadecimal. A file ' +
      'must have mode 0600 and is made when it is missing. Old keys may follow, on lines of ' +
      'their own or behind commas: the secrets are then sealed anew at the next start.',
    '"file:millrace-store.key"',
  ),
};

export const dsqlShape = {
  address: text(ADDRESS).default('127.0.0.2').register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: '"127.0.0.2"',
    must: 'an IP address or host name without a port',
    meaning: 'Where the DSQL endpoint listens, for all clusters; always with TLS.',
  }),
  port: integer(0, 65_535, 5432, '', 'TCP port of the endpoint; 0 lets the system choose.'),
  region: text(REGION).default('us-east-1').register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: '"us-east-1"',
    must: 'the name of an AWS region',
    meaning:
      'Region of all clusters: part of their names and ARNs, and what tokens are signed for.',
  }),
  account_id: text(ACCOUNT_ID).default('000000000000').register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: '"000000000000"',
    must: 'twelve digits',
    meaning: 'The AWS account that clusters, users and roles belong to: part of their ARNs.',
  }),
  data_dir: optional(
    PATH,
    PLAIN,
    'Directory for the PostgreSQL servers of clusters that have no other, and for the ' +
      'certificate authority that is made where there is no `tls_cert`.',
    '"millrace-dsql"',
  ),
  tls_cert: optional(
    PATH,
    PLAIN,
    'PEM file with the certificate chain of the endpoint, for `*.dsql.REGION.on.aws`. Without ' +
      'it one of an authority in `data_dir`, whose certificate clients are to trust.',
  ),
  tls_key: optional(PATH, PLAIN, 'PEM file with the unencrypted private key of `tls_cert`.'),
};
