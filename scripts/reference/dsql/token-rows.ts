/** Tokens and roles: what is verified, for how long, and who is who. */
import type { CoverageRows } from './rows.ts';

export const tokenRows: CoverageRows = {
  '2.1': ['a token is a presigned URL without its scheme, of the service `dsql`', 'same'],
  '2.2': ['its parameters may come in any order', 'same'],
  '2.3': ['it is long with the credentials of a session', 'same: up to 16 KB'],
  '2.4': ['it is good for 1 to 604,800 seconds', 'same'],
  '2.5': ['it is for the host of its cluster', 'same'],
  '2.6': [
    'all of action, algorithm, credential, date, expiry, signed headers and signature are there',
    'same',
  ],
  '2.7': ['its scope has the region of the cluster, the service and its own date', 'same'],
  '2.8': [
    'the signature is that of AWS Signature Version 4 over all of it',
    'same: computed again and compared in constant time; any other character is refused',
  ],
  '2.9': ['it is not for the future: 15 minutes of skew', 'same'],
  '2.10': ['it ends with the session of its credentials', 'same'],
  '2.11': ['`DbConnectAdmin` is for `admin`, `DbConnect` for everybody else', 'same'],
  '2.12': [
    'the policies of the identity and of the cluster must allow it on the ARN of the cluster',
    'same; conditions of policies: the operators and keys named in [identities](../dsql-identities.md)',
  ],
  '2.13': ['a session of an assumed role is associated by the ARN of the role', 'same'],
  '2.14': ['a token is looked at when a connection is made, not later', 'same'],
  '2.15': ['one token opens many connections until it expires', 'same'],
  '2.16': [
    'a session lasts 60 minutes; a transaction that is open then may end',
    'same; the words are our choice: nobody has told them',
  ],
  '2.17': ['a policy that is taken away counts for new connections', 'same'],
  '2.18': ['the association is asked for at the begin of each transaction', 'same'],
  '2.19': ['10,000 connections; 1,000 at once, then 100 a second', 'same'],
};

export const roleRows: CoverageRows = {
  '3.1': ['`CREATE ROLE … WITH LOGIN`; a second one is `42710`', 'same'],
  '3.2': ['`AWS IAM GRANT … TO` the ARN of a role or user', 'same'],
  '3.3': ['`AWS IAM REVOKE … FROM` it', 'same'],
  '3.4': ['several ARNs may have one role', 'same'],
  '3.5': ['`sys.iam_pg_role_mappings` has the six columns of the documents', 'same'],
  '3.6': [
    'nobody has told the command tags of AWS IAM GRANT and REVOKE',
    'our choice: `GRANT` and `REVOKE`',
  ],
  '3.7': [
    '`admin` makes schemas, roles and objects, and may give itself any role; it cannot be changed',
    'same; it is no superuser and has no CREATEROLE below',
  ],
  '3.8': [
    'rights on `public` cannot be given to others: `feature not supported on system entity`',
    'same',
  ],
  '3.9': ['a right that is missing is `42501`', 'same: each role logs in to PostgreSQL as itself'],
  '3.10': ['GRANT and REVOKE count as changes of the schema', 'same'],
  '3.11': [
    'errors: `permission denied to grant IAM trust with role …`, `… must have the LOGIN attribute`, `IAM role must look like an IAM ARN`, `IAM role … does not exist`, `Role … not supported`, `Cannot establish trust with role …`',
    'same texts; the SQLSTATEs are our choice: `42501`, `22023`, `42704`, `0A000`',
  ],
  '3.12': [
    'a role with associations is not dropped: `role … cannot be dropped because some objects depend on it`',
    'same: `2BP01`',
  ],
  '3.13': [
    'no role reaches more than it was given: not by `pg_…` roles, programs, files, functions or SET SESSION AUTHORIZATION',
    'same',
  ],
};
