/** Connections: where they lead, what they are told, and why they are refused. */
import type { CoverageRows } from './rows.ts';

export const connectionRows: CoverageRows = {
  '1.1': [
    'the name is 26 characters, `.dsql.`, the region and `.on.aws`; PrivateLink has `dsql-…` there',
    'same; a name in any case',
  ],
  '1.2': ['connectors read the region from the name', 'same'],
  '1.3': [
    'port 5432; beside it PostgreSQL within WebSocket at port 443',
    'differs: any port, 5432 unless told; no WebSocket',
  ],
  '1.4': [
    'the only database is `postgres`, in UTF-8 with collation C; there are no statements for databases',
    'same where the PostgreSQL below is made by Millrace; a given one has its own collation',
  ],
  '1.5': ['`admin` is there from the start; nobody logs in as `postgres`', 'same'],
  '1.6': [
    'TLS always; the certificate of a cluster verifies in full',
    'same, by an authority of its own or a given certificate',
  ],
  '1.7': ['nobody has told the least version of TLS', 'our choice: TLS 1.2'],
  '1.8': ['SSLRequest is answered by `S`', 'same'],
  '1.9': ['TLS at once, with the ALPN protocol `postgresql`', 'same; without ALPN it is closed'],
  '1.10': ['nobody has told what GSSENCRequest gets', 'our choice: `N`'],
  '1.11': ['without a name in TLS: `unable to accept connection, sni was not received`', 'same'],
  '1.12': [
    '`amzn-cluster-id` in `options` names the cluster where the name in TLS does not; the token is for the name of the cluster',
    'same',
  ],
  '1.13': ['a token may be signed for the name at PrivateLink', 'same'],
  '1.14': ['version 3 of the protocol, simple and extended', 'same'],
  '1.15': ['the password is asked for in clear text within TLS', 'same'],
  '1.16': [
    'a message has at most 10 MiB: `08P01` in documents, the connection just ends in reports',
    'same as the documents: `invalid message length`, FATAL',
  ],
  '1.17': [
    '`server_version` 16.15, `server_version_num` 160015, `version()` is `PostgreSQL 16`',
    'same, whatever is below',
  ],
  '1.18': [
    'time zone UTC, encoding UTF8, level repeatable read, `max_connections` 20, schema `public`; no `lc_collate`',
    'same',
  ],
  '1.19': [
    'nobody has told all parameters that a client hears of',
    'our choice: those of PostgreSQL 16',
  ],
  '1.20': ['cancel requests have no effect', 'same'],
  '1.21': [
    '`pg_backend_pid`, `inet_server_addr` and `inet_server_port` are refused',
    'same: `function … not supported`',
  ],
  '1.22': [
    'a parameter that is not of the list: `setting configuration parameter "…" not supported`, `0A000`, FATAL at startup, later ERROR',
    'same',
  ],
  '1.23': [
    'the list: `application_name` to `timezone`, `search_path`, the `enable_…` of plans',
    'same',
  ],
  '1.24': [
    '`disable_sync_create_index = off`: CREATE INDEX works at once on an empty table',
    'differs: the setting is taken and has no effect',
  ],
  '1.25': ['`SET LOCAL ROLE` within a block; no other form', 'same as the newer documents'],
  '1.26': [
    'by name are refused: timeouts, memory, logging, `client_min_messages`, `row_security`, `standard_conforming_strings`, `default_transaction_isolation`',
    'same',
  ],
  '1.27': ['`set_config` is refused', 'same: `function set_config not supported`'],
  '1.28': ['settings with names of one’s own are refused', 'same'],
  '1.29': ['`RESET ALL` works', 'same'],
  '1.30': [
    'nobody has told whether there is DISCARD ALL',
    'our choice: `unsupported statement: Discard`',
  ],
  '1.31': ['`DEALLOCATE ALL` and `DEALLOCATE PREPARE ALL`', 'same'],
  '1.32': [
    '`pg_prepared_statements` does not show the names of a client reliably',
    'same: it shows what is on the link',
    'needs AWS: there is nothing to compare with',
  ],
  '1.33': [
    'every refusal of a token: `unable to accept connection, access denied`, `08006`, FATAL',
    'same; the HINT says why where the next rows have no words for it',
  ],
  '1.34': ['an expired token: the HINT begins `Signature expired: `', 'same'],
  '1.35': [
    'no permission: HINT `User: <arn> is not authorized to perform: dsql:DbConnectAdmin …`',
    'same',
  ],
  '1.36': [
    'a token of the wrong action: HINT `Wrong user to action mapping. user: …, action: …`',
    'same',
  ],
  '1.37': [
    'a cluster that wakes: `unable to accept connection, waking up cluster, please retry later`',
    'same text; the SQLSTATE is our choice: `57P03`',
  ],
  '1.38': ['too many connections: `53300`, with words of its own', 'same'],
  '1.39': ['too many connections at once: `53400`, with words of its own', 'same'],
  '1.40': [
    'an ended session of the credentials, or more than a week: `IAM authentication failed for user "…"`',
    'same text; the SQLSTATE is our choice: `28000`',
  ],
  '1.41': [
    'no such role: `Role … does not exist`',
    'same text; the SQLSTATE is our choice: `28000`',
  ],
  '1.42': [
    'nobody has told what a role without association to the identity gets',
    'our choice: access denied, with a HINT',
  ],
  '1.43': [
    'nobody has told what a role without LOGIN gets',
    'our choice: access denied, with a HINT',
  ],
  '1.44': [
    'nobody has told what another database than `postgres` gets',
    'our choice: `3D000`, as PostgreSQL',
  ],
  '1.45': [
    'nobody has told the words for a connection without TLS',
    'our choice: `28000`, and that TLS is required',
  ],
  '1.46': [
    'a failure of the service: `server unavailable`, `XX000`; the session stays',
    'same: when the PostgreSQL below ends',
  ],
  '1.47': [
    'nobody has told whether a token may have its host in capitals, or with a port',
    'our choice: any case, no port',
  ],
};
