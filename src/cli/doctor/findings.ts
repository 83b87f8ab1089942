/** What the doctor finds of a database, and what to do about it: pure texts. */
import { type EndpointKind, readEndpointName } from '../../aws/endpoint-name.ts';
import type { ErrorCode } from '../../base/errors.ts';

export type Finding = {
  readonly check: string;
  readonly verdict: 'good' | 'worth a look' | 'bad';
  readonly text: string;
  /** What to do; empty when nothing. */
  readonly fix: string;
};

export const good = (check: string, text: string): Finding => ({
  check,
  verdict: 'good',
  text,
  fix: '',
});
export const look = (check: string, text: string, fix: string): Finding => ({
  check,
  verdict: 'worth a look',
  text,
  fix,
});
export const bad = (check: string, text: string, fix: string): Finding => ({
  check,
  verdict: 'bad',
  text,
  fix,
});

export type HostKind = 'rds' | 'rds-proxy' | 'aurora-writer' | 'aurora-reader' | 'dsql' | 'other';

const KIND_OF_ENDPOINT: Readonly<Record<EndpointKind, HostKind>> = {
  instance: 'rds',
  cluster: 'aurora-writer',
  reader: 'aurora-reader',
  custom: 'aurora-reader',
  global: 'aurora-writer',
  limitless: 'aurora-writer',
  proxy: 'rds-proxy',
  dsql: 'dsql',
};

export function hostKind(host: string): HostKind {
  const endpoint = readEndpointName(host);
  return endpoint === null ? 'other' : KIND_OF_ENDPOINT[endpoint.kind];
}

const isAws = (kind: HostKind): boolean => kind !== 'other';

/** Addresses that the internet does not route: RFC 1918, 6598, 4193 and link-local ones. */
export function isPrivateAddress(address: string): boolean {
  return (
    /^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(address) ||
    /^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(address) ||
    /^(f[cd]|fe[89ab])[0-9a-f]*:/i.test(address)
  );
}

const RDS_BUNDLE =
  'get the authorities of RDS: https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem';

/** What to do about a connection that failed; `isPrivate` when the name has such an address. */
export function adviceFor(
  code: ErrorCode,
  detail: string,
  kind: HostKind,
  isPrivate: boolean,
): string {
  switch (code) {
    case 'MR_ORIGIN_NAME':
      return isAws(kind)
        ? 'copy the endpoint from the console again (of Aurora the Writer one); a deleted or ' +
            'renamed instance has no name any more'
        : 'check the spelling of the host, and the resolver of this machine';
    case 'MR_ORIGIN_TIMEOUT':
      if (!isAws(kind)) return 'a firewall drops it, or the host is down: open the port to us';
      return isPrivate
        ? 'the address is inside of a VPC: run this there, or set Public access to Yes; allow ' +
            'this machine in the security group'
        : 'allow this machine in an inbound rule of the security group of the database';
    case 'MR_ORIGIN_REFUSED':
      return 'nothing listens on that port: check the port, and that the server runs';
    case 'MR_ORIGIN_TLS':
      if (detail.includes('does not support TLS')) {
        return 'turn TLS on at the server, or use sslmode=prefer if nobody can be on the way';
      }
      return isAws(kind) && kind !== 'dsql'
        ? `${RDS_BUNDLE}, and name it as sslrootcert`
        : 'name the authority of the server as sslrootcert';
    case 'MR_ORIGIN_AUTH':
      return adviceForLogin(detail, kind);
    case 'MR_ORIGIN_REJECTED':
      return 'the server said so: see its log';
    default:
      return 'check that a PostgreSQL listens at that host and port';
  }
}

/** @param detail SQLSTATE and MESSAGE of the server */
function adviceForLogin(detail: string, kind: HostKind): string {
  if (detail.startsWith('3D000')) {
    return kind === 'dsql'
      ? 'the only database of Aurora DSQL is postgres'
      : 'make the database, or name another one: psql -l lists them';
  }
  if (kind === 'dsql') {
    return (
      'the password is a token, good for 15 minutes: millrace token dsql prints one; the ' +
      'policy must allow dsql:DbConnectAdmin for admin, dsql:DbConnect for other roles'
    );
  }
  if (/no encryption|SSL off|only with SSL|requires TLS/i.test(detail)) {
    return 'the server wants TLS (rds.force_ssl is on): use sslmode=require or stronger';
  }
  if (isAws(kind) && /^28000: (PAM|IAM) authentication failed/.test(detail)) {
    return (
      'the user logs in by IAM, with a token for a password (millrace token rds prints one): ' +
      'sign it for this endpoint, port, region and user, and allow rds-db:connect; the log group ' +
      'iam-db-auth-error in CloudWatch tells what is wrong'
    );
  }
  return 'check user and password; percent-encode special characters in a connection string';
}
