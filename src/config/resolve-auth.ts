/** How an origin is logged in to: with a password, a token of IAM, or what a secret says. */
import { isLoopback } from '../base/loopback.ts';
import type { OriginAuth, SslMode } from './model.ts';
import type { AwsOrigin, GivenOrigin, Telling } from './resolve-aws.ts';

const PORT_DEFAULT = 5432;

/** How to log in; what does not fit together is told. */
export function resolveAuth(
  origin: GivenOrigin,
  aws: AwsOrigin,
  sslmode: SslMode,
  to: Telling,
): OriginAuth {
  const method = origin.auth ?? 'password';
  checkKeysOfMethod(origin, method, to);
  if (method === 'password') return { method };
  const identity = {
    profile: origin.aws_profile ?? null,
    roleArn: origin.aws_role_arn ?? null,
    externalId: origin.aws_external_id ?? null,
  };
  if (identity.externalId !== null && identity.roleArn === null) {
    to.problems.add(to.path, 'aws_external_id is for a role', 'give aws_role_arn, or leave it out');
  }
  if (method === 'secrets-manager') return secretOf(origin, aws, identity, to);
  checkTokenTransport(origin, method, sslmode, to);
  const host = origin.iam_host ?? aws.endpoint?.host ?? null;
  if (host === null) {
    const what = `auth "${method}" needs the name that AWS gave to the endpoint`;
    to.problems.add(to.path, what, 'give iam_host');
  } else if (aws.region === null) {
    to.problems.add(to.path, `the region of ${host} is not known`, 'give aws_region');
  } else if (aws.endpoint !== null && (aws.endpoint.kind === 'dsql') !== (method === 'dsql-iam')) {
    const right = method === 'dsql-iam' ? 'rds-iam' : 'dsql-iam';
    to.problems.add(to.path, `auth "${method}" is not for ${host}`, `set auth = "${right}"`);
  }
  const signed = { host: host ?? '', region: aws.region ?? '', ...identity };
  if (method === 'dsql-iam') return { method, ...signed };
  return { method, ...signed, port: signedPort(origin, to) };
}

/** A token names the port of the endpoint, not that of a tunnel to it. */
function signedPort(origin: GivenOrigin, { path, problems }: Telling): number {
  const port = origin.iam_port ?? origin.port ?? PORT_DEFAULT;
  if (origin.iam_port === undefined && isLoopback(origin.host ?? '') && port !== PORT_DEFAULT) {
    const what = `tokens are signed for port ${port}, which looks like that of a tunnel`;
    problems.warn(path, what, 'give the port of the endpoint as iam_port');
  }
  return port;
}

function secretOf(
  origin: GivenOrigin,
  aws: AwsOrigin,
  identity: Pick<OriginAuth & { method: 'secrets-manager' }, 'profile' | 'roleArn' | 'externalId'>,
  { path, problems }: Telling,
): OriginAuth {
  const secretId = origin.secret_id ?? '';
  if (secretId === '') problems.add(path, 'secret_id is missing', 'give the ARN or the name');
  // The region stands in the ARN of a secret, which need not be in that of the database.
  const region = /^arn:[^:]+:secretsmanager:([^:]+):/.exec(secretId)?.[1] ?? aws.region;
  if (region === null && secretId !== '') {
    problems.add(path, 'the region of the secret is not known', 'give its ARN, or aws_region');
  }
  return {
    method: 'secrets-manager',
    secretId,
    region: region ?? '',
    usernameKey: origin.secret_username_key ?? 'username',
    passwordKey: origin.secret_password_key ?? 'password',
    ...identity,
  };
}

const KEYS_OF_METHOD = {
  password: [],
  'rds-iam': ['iam_host', 'iam_port', 'aws_profile', 'aws_role_arn', 'aws_external_id'],
  'dsql-iam': ['iam_host', 'aws_profile', 'aws_role_arn', 'aws_external_id'],
  'secrets-manager': [
    'secret_id',
    'secret_username_key',
    'secret_password_key',
    'aws_profile',
    'aws_role_arn',
    'aws_external_id',
  ],
} as const satisfies Record<OriginAuth['method'], readonly (keyof GivenOrigin)[]>;

/** Keys that only some methods read must not stand with others, where they would do nothing. */
function checkKeysOfMethod(origin: GivenOrigin, method: OriginAuth['method'], to: Telling): void {
  const own: readonly string[] = KEYS_OF_METHOD[method];
  for (const key of new Set(Object.values(KEYS_OF_METHOD).flat())) {
    if (origin[key] === undefined || own.includes(key)) continue;
    to.problems.add([...to.path, key], `is not for auth "${method}"`, 'leave it out, or set auth');
  }
  if (method === 'password') return;
  if (origin.password !== undefined) {
    to.problems.add([...to.path, 'password'], `auth is "${method}"`, 'leave out one of them');
  }
  if (method === 'secrets-manager' && origin.user !== undefined) {
    to.problems.add([...to.path, 'user'], 'the secret says who logs in', 'leave it out');
  }
}

/** A token is sent as it is, and whoever reads it can log in with it. */
function checkTokenTransport(
  origin: GivenOrigin,
  method: string,
  sslmode: SslMode,
  to: Telling,
): void {
  if (sslmode === 'disable' || sslmode === 'allow' || sslmode === 'prefer') {
    const what = `auth "${method}" would send a token without TLS by sslmode "${sslmode}"`;
    to.problems.add(to.path, what, 'set sslmode = "verify-full"');
  } else if (sslmode !== 'verify-full') {
    const what = `auth "${method}" sends tokens to whoever answers, by sslmode "${sslmode}"`;
    to.problems.warn(to.path, what, 'set sslmode = "verify-full"');
  }
  if (origin.channel_binding === 'require') {
    const what = `channel_binding "require" cannot be with auth "${method}"`;
    to.problems.add(to.path, what, 'rely on sslmode = "verify-full"');
  }
}
