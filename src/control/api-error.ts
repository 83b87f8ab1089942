/**
 * The errors of the API. Codes below 2100 are Cloudflare's own, with its texts, so that its clients
 * know them; those from 2100 on are Millrace's.
 */

export const apiErrors = {
  throttled: [971, 429, 'Please wait and consider throttling your request speed'],
  internal: [1001, 500, 'Internal error'],
  unsuitable: [1002, 503, 'The store cannot be reached at the moment; try again'],
  originName: [2008, 400, 'the host name does not resolve'],
  originAddress: [2009, 400, 'the host is not an address that can be connected to'],
  originUnreachable: [2010, 400, 'the host and port cannot be reached'],
  originRefused: [2011, 400, 'the connection is refused'],
  originWithoutTls: [2012, 400, 'the database does not support TLS'],
  originCredentials: [2013, 400, 'the credentials are wrong'],
  originDatabase: [2014, 400, 'the database does not exist'],
  originOther: [2015, 400, 'the connection failed'],
  originQuery: [2016, 400, 'the test query failed'],
  invalid: [2100, 400, 'The request is not valid'],
  notFound: [2101, 404, 'There is no such object'],
  nameTaken: [2102, 409, 'Another configuration has this name'],
  inFile: [2103, 409, 'This configuration is in the configuration file; change it there'],
  privateOrigin: [2104, 400, 'Origins behind Access or a VPC service are not supported'],
  certificateUnknown: [2105, 400, 'There is no such certificate'],
  tooMany: [2106, 409, 'There are too many already; delete some'],
  changedMeanwhile: [2107, 409, 'Somebody else changed it meanwhile; read it and try again'],
  inUse: [2108, 409, 'A configuration uses it'],
  mysql: [2109, 400, 'Only PostgreSQL-compatible databases are supported'],
  tooLarge: [2110, 413, 'The request is too large'],
  unpurged: [2111, 503, 'Not all of the cache could be purged; try again'],
  noClusters: [2112, 409, 'No DSQL endpoint runs here, so there is no place for clusters'],
  noRoute: [7003, 404, 'Could not route to that path; is an identifier in it invalid?'],
  wrongMethod: [7001, 405, 'Method not available for that path'],
  unauthorized: [9109, 403, 'The token may read only'],
  unauthenticated: [10000, 401, 'Authentication error'],
} as const satisfies Record<string, readonly [code: number, status: number, text: string]>;

export type ApiErrorName = keyof typeof apiErrors;

/** What a request is refused with. Its texts reach the client: no secrets. */
export class ApiError extends Error {
  readonly code: number;
  readonly status: number;

  /** @param text instead of the one in the table */
  constructor(name: ApiErrorName, text?: string, cause?: unknown) {
    const [code, status, standard] = apiErrors[name];
    super(text ?? standard, cause === undefined ? {} : { cause });
    this.name = 'ApiError';
    this.code = code;
    this.status = status;
  }
}
