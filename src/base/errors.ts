/**
 * Every error the gateway itself can raise, in one total table: a code without all of its columns
 * does not compile. `clientText` is the only text of ours that reaches a client; `message` of a
 * {@link GatewayError} is for logs. Wording and SQLSTATE of pool and origin errors are those of
 * Hyperdrive.
 */

export type ErrorKind =
  | 'client'
  | 'protocol'
  | 'auth'
  | 'config'
  | 'pool'
  | 'server'
  | 'network'
  | 'internal';

export type Severity = 'ERROR' | 'FATAL';

export type ErrorRow = {
  /** Label of the failure in metrics and logs. */
  readonly kind: ErrorKind;
  /** Five characters, PostgreSQL's Appendix A. */
  readonly sqlstate: string;
  readonly severity: Severity;
  /** Status of the control API when it relays this error. */
  readonly httpStatus: number;
  /** Exit code of the command line when it ends with this error. */
  readonly exitCode: number;
  /** Whether the same request may succeed when it is sent again unchanged. */
  readonly retryable: boolean;
  /** What a client is told; `%s` is the subject. Never any value of ours that could be secret. */
  readonly clientText: string;
  /** What the user can do about it; sent as HINT. Empty when there is nothing to say. */
  readonly hint: string;
};

const row = (
  kind: ErrorKind,
  severity: Severity,
  sqlstate: string,
  httpStatus: number,
  exitCode: number,
  retryable: boolean,
  texts: Pick<ErrorRow, 'clientText'> & Partial<Pick<ErrorRow, 'hint'>>,
): ErrorRow => ({ kind, sqlstate, severity, httpStatus, exitCode, retryable, hint: '', ...texts });

export const errorTable = {
  MR_INTERNAL: row('internal', 'FATAL', '58000', 500, 70, true, {
    clientText: 'Internal error.',
    hint: 'Look for the same time in the log of the gateway, and report it.',
  }),
  MR_POOL_WAIT_TIMEOUT: row('pool', 'FATAL', '58000', 503, 1, true, {
    clientText: 'Timed out while waiting for an open slot in the pool.',
    hint:
      'Every origin connection was busy: shorten transactions, see who keeps one by ' +
      'SHOW millrace.pins, or raise origin_connection_limit.',
  }),
  MR_POOL_WAITERS_FULL: row('pool', 'FATAL', '58000', 503, 1, true, {
    clientText: 'Failed to acquire a connection from the pool.',
    hint: 'Too many clients wait already: shorten transactions, or raise origin_connection_limit.',
  }),
  MR_ORIGIN_REFUSED: row('network', 'FATAL', '58000', 502, 1, true, {
    clientText: 'Server connection attempt failed: connection_refused',
    hint: 'Check that the origin is up, and its host, port and firewall.',
  }),
  MR_ORIGIN_TIMEOUT: row('network', 'FATAL', '58000', 504, 1, true, {
    clientText: 'Server connection attempt failed: connection_timeout',
    hint: 'Check the host, port and firewall of the origin, or raise connect_timeout_ms.',
  }),
  MR_ORIGIN_NAME: row('network', 'FATAL', '58000', 502, 1, true, {
    clientText: 'Server connection attempt failed: name_resolution_failed',
    hint: 'Check the host name of the origin and the resolver of the gateway.',
  }),
  MR_ORIGIN_TLS: row('network', 'FATAL', '58000', 502, 1, false, {
    clientText: 'Server connection attempt failed: tls_failed',
    hint: 'Check sslmode, ca, client_cert and client_key of the configuration.',
  }),
  MR_ORIGIN_AUTH: row('server', 'FATAL', '58000', 502, 1, false, {
    clientText: 'Server connection attempt failed: authentication_failed',
    hint: 'Check user, password and database of the origin in the configuration.',
  }),
  MR_ORIGIN_CREDENTIALS: row('config', 'FATAL', '58000', 502, 1, true, {
    clientText: 'Server connection attempt failed: no_credentials',
    hint:
      'Check the AWS credentials of the gateway, and aws_region, aws_profile, aws_role_arn and ' +
      'secret_id of the configuration; the log has more.',
  }),
  MR_ORIGIN_PROTOCOL: row('server', 'FATAL', '58000', 502, 1, false, {
    clientText: 'Server connection attempt failed: protocol_error',
    hint: 'What answers at that host and port does not speak the PostgreSQL protocol.',
  }),
  MR_ORIGIN_REJECTED: row('server', 'FATAL', '58000', 502, 1, true, {
    clientText: 'Server connection attempt failed: rejected',
    hint: 'The origin answered with the error in DETAIL.',
  }),
  MR_ORIGIN_NO_WRITER: row('server', 'FATAL', '58000', 502, 1, true, {
    clientText: 'Server connection attempt failed: no_writer',
    hint: 'No node of the cluster says that it takes writes: a failover may be under way.',
  }),
  MR_ORIGIN_BUSY: row('server', 'FATAL', '58000', 503, 1, true, {
    clientText: 'Server connection attempt failed: too_many_connections',
    hint: 'The origin takes no more connections now: see the error in DETAIL, and try again.',
  }),
  MR_ENDPOINT_UNKNOWN: row('config', 'FATAL', '58000', 502, 1, true, {
    clientText: 'the endpoint of %s could not be found at AWS',
    hint:
      'By hand: in the RDS console, Databases, choose it, then Connectivity & security; copy the ' +
      'endpoint, of a cluster that of type Writer, and the port; give them by --origin-host and ' +
      '--origin-port.',
  }),
  MR_TOKEN_UNSIGNED: row('config', 'FATAL', '58000', 502, 1, true, {
    clientText: 'no token can be signed: %s',
    hint:
      'Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from --profile, or ' +
      'from the container or instance that this runs on; --role-arn is a role to assume with them.',
  }),
  MR_SETUP_REFUSED: row('server', 'ERROR', '58000', 502, 1, false, {
    clientText: 'the database refused: %s',
    hint: 'Nothing was changed.',
  }),
  MR_ORIGIN_LOST: row('server', 'FATAL', '08006', 502, 1, true, {
    clientText: 'The connection to the origin database was lost.',
    hint: 'Whether the statement took effect is not known.',
  }),
  MR_ORIGIN_SILENT: row('server', 'FATAL', '58000', 504, 1, true, {
    clientText: 'Timed out while waiting for a message from the origin database.',
    hint: 'The statement was cancelled: make it shorter, or raise statement_timeout_ms.',
  }),
  MR_UNSUPPORTED: row('client', 'FATAL', '0A000', 501, 1, false, {
    clientText: 'Millrace does not currently support %s',
  }),
  MR_PROTOCOL_VIOLATION: row('protocol', 'FATAL', '08P01', 400, 1, false, {
    clientText: 'protocol violation: %s',
  }),
  MR_SWITCH_UNKNOWN: row('client', 'FATAL', '42601', 400, 1, false, {
    clientText: 'invalid command-line argument for server process: %s',
    hint: 'Try "postgres --help" for more information.',
  }),
  MR_SWITCH_INVALID: row('client', 'FATAL', '42601', 400, 1, false, {
    clientText: '%s',
  }),
  MR_NOT_POSTGRES: row('protocol', 'FATAL', '08P01', 400, 1, false, {
    clientText: 'what the client sent is not the PostgreSQL protocol',
  }),
  MR_CLIENT_LOST: row('client', 'FATAL', '08006', 499, 1, true, {
    clientText: 'the client closed the connection before it was logged in',
  }),
  MR_TLS_HANDSHAKE: row('network', 'FATAL', '08P01', 400, 1, false, {
    clientText: 'the TLS handshake with the client failed',
  }),
  MR_AUTH_FAILED: row('auth', 'FATAL', '28P01', 401, 1, false, {
    clientText: 'password authentication failed for user "%s"',
  }),
  MR_CHANNEL_BINDING: row('auth', 'FATAL', '28000', 403, 1, false, {
    clientText: '%s',
  }),
  MR_CLIENT_CERT: row('auth', 'FATAL', '28000', 403, 1, false, {
    clientText: 'connection requires a valid client certificate',
    hint: 'Connect with sslcert and sslkey, signed by an authority of tls_client_ca.',
  }),
  MR_TLS_REQUIRED: row('auth', 'FATAL', '28000', 403, 1, false, {
    clientText: 'this listener requires a connection with TLS',
    hint: 'Connect with sslmode=require or stronger.',
  }),
  MR_LOGIN_TIMEOUT: row('auth', 'FATAL', '57014', 408, 1, true, {
    clientText: 'canceling authentication due to timeout',
  }),
  MR_TOO_MANY_CLIENTS: row('client', 'FATAL', '53300', 503, 1, true, {
    clientText: 'sorry, too many clients already',
    hint: 'Raise clients_max of the listener, or close idle clients.',
  }),
  MR_SHUTTING_DOWN: row('client', 'FATAL', '57P01', 503, 1, true, {
    clientText: 'terminating connection due to administrator command',
  }),
  MR_CONFIG_REMOVED: row('client', 'FATAL', '57P01', 410, 1, false, {
    clientText: 'terminating connection because its configuration was removed',
  }),
  MR_QUERY_CANCELED: row('client', 'ERROR', '57014', 499, 1, true, {
    clientText: 'canceling statement due to user request',
  }),
  MR_SETTINGS_REFUSED: row('server', 'FATAL', '58000', 502, 1, true, {
    clientText: 'the origin refused the settings of this session',
  }),
  MR_USAGE: row('config', 'FATAL', '58000', 400, 2, false, {
    clientText: 'the command line is not valid: %s',
    hint: 'See --help.',
  }),
  MR_CONFIG_INVALID: row('config', 'FATAL', '58000', 400, 78, false, {
    clientText: 'the configuration is not valid: %s',
  }),
  MR_FILE_UNREADABLE: row('config', 'FATAL', '58000', 400, 66, false, {
    clientText: 'cannot read %s',
  }),
  MR_LISTEN_FAILED: row('network', 'FATAL', '58000', 500, 69, true, {
    clientText: 'cannot listen on %s',
    hint: 'Give the listener another address or port, or end what has it.',
  }),
  MR_WORKER_FAILED: row('internal', 'FATAL', '58000', 500, 70, true, {
    clientText: 'a worker process failed: %s',
    hint: 'Look for its own words in the log; --workers 1 does without worker processes.',
  }),
  MR_DATA_DIR_HELD: row('config', 'FATAL', '58000', 409, 75, true, {
    clientText: 'the data directory is in use: %s',
    hint:
      'Stop the other one, or choose another directory: --data-dir of dev, data_dir of ' +
      '[store].',
  }),
  MR_DATA_DIR_VERSION: row('config', 'FATAL', '58000', 409, 78, false, {
    clientText: 'the data directory is of another version of PostgreSQL: %s',
    hint: 'Dump it with the Millrace that made it and load the dump, or choose another --data-dir.',
  }),
  MR_EMBEDDED_FAILED: row('internal', 'FATAL', '58000', 500, 70, true, {
    clientText: 'the embedded PostgreSQL failed: %s',
  }),
  MR_STORE_UNAVAILABLE: row('network', 'FATAL', '58000', 503, 69, true, {
    clientText: 'the store cannot be reached: %s',
    hint: 'Check the store URL and its database; gateways go on with what they know.',
  }),
  MR_STORE_KEY: row('config', 'FATAL', '58000', 500, 78, false, {
    clientText: 'the master key of the store does not fit: %s',
    hint:
      'Give the key that the store was made with; after a change of keys, the old one on a ' +
      'later line.',
  }),
  MR_STORE_VERSION: row('config', 'FATAL', '58000', 500, 78, false, {
    clientText: 'the store is of another version: %s',
    hint: 'Run the Millrace that made it, or a newer one.',
  }),
  MR_API_UNKNOWN: row('config', 'FATAL', '58000', 400, 78, false, {
    clientText: 'no API is known',
    hint: 'Run millrace dev here, or set MILLRACE_API_URL and MILLRACE_API_TOKEN.',
  }),
  MR_API_UNREACHABLE: row('network', 'FATAL', '58000', 502, 69, true, {
    clientText: 'the API at %s cannot be reached',
    hint: 'Check that millrace dev or millrace serve runs, and its address.',
  }),
  MR_API_REFUSED: row('client', 'FATAL', '58000', 400, 1, false, {
    clientText: '%s',
  }),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** An operating error with a row in {@link errorTable}; programmer errors are plain assertions. */
export class GatewayError extends Error {
  readonly code: ErrorCode;
  /** The client's text with its subject filled in. */
  readonly clientText: string;
  /** Safe for a client to read: DETAIL of the ErrorResponse. Empty when there is none. */
  readonly detail: string;

  /**
   * @param options.subject stands for `%s` in the row's text; must be safe for the client to read
   * @param options.detail DETAIL for the client; must be safe for the client to read
   * @param options.cause what was caught; for logs only
   */
  constructor(
    code: ErrorCode,
    options: { subject?: string; detail?: string; cause?: unknown } = {},
  ) {
    const clientText = errorTable[code].clientText.replace('%s', () => options.subject ?? '');
    super(
      options.detail ? `${clientText} (${options.detail})` : clientText,
      options.cause === undefined ? {} : { cause: options.cause },
    );
    this.name = 'GatewayError';
    this.code = code;
    this.clientText = clientText;
    this.detail = options.detail ?? '';
  }

  /** What was caught, as an error of ours: a mistake of the program when it is none. */
  static from(caught: unknown): GatewayError {
    return caught instanceof GatewayError
      ? caught
      : new GatewayError('MR_INTERNAL', { cause: caught });
  }

  get row(): ErrorRow {
    return errorTable[this.code];
  }
}
