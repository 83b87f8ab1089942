/** Errors as AWS tells them: a type that the SDKs know, a text, and members of some types. */
import type { RequestRefusal } from '../../aws/signed-request.ts';

/** What a request is refused with. Its texts reach the client: no secrets. */
export class AwsError extends Error {
  /** Such as `ValidationException`. */
  readonly type: string;
  readonly status: number;
  /** Beside the message. */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    type: string,
    status: number,
    message: string,
    members: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = 'AwsError';
    this.type = type;
    this.status = status;
    this.members = members;
  }
}

export type ValidationReason =
  | 'unknownOperation'
  | 'cannotParse'
  | 'fieldValidationFailed'
  | 'deletionProtectionEnabled'
  | 'other';

export const invalid = (reason: ValidationReason, message: string): AwsError =>
  new AwsError('ValidationException', 400, message, { reason });

/** @param name of the member as in the API */
export const invalidField = (name: string, message: string): AwsError =>
  new AwsError('ValidationException', 400, `Invalid ${name}: ${message}`, {
    reason: 'fieldValidationFailed',
    fieldList: [{ name, message }],
  });

/** What Aurora DSQL can and this endpoint cannot. */
export const unsupportedHere = (what: string): AwsError =>
  invalid('other', `${what} is unsupported by this endpoint, which is not Aurora DSQL itself.`);

export const notFound = (resourceId: string, resourceType = 'cluster'): AwsError =>
  new AwsError('ResourceNotFoundException', 404, `The ${resourceType} does not exist.`, {
    resourceId,
    resourceType,
  });

/** A cluster that somebody else has deleted meanwhile. */
export function gone(id: string): never {
  throw notFound(id);
}

export const conflict = (resourceId: string, message: string): AwsError =>
  new AwsError('ConflictException', 409, message, { resourceId, resourceType: 'cluster' });

export const denied = (principalArn: string, action: string, resource: string): AwsError =>
  new AwsError(
    'AccessDeniedException',
    403,
    `User: ${principalArn} is not authorized to perform: ${action} on resource: ${resource}`,
  );

export const internal = (): AwsError =>
  new AwsError('InternalServerException', 500, 'Internal error');

/** The store is away: the same request may do well in a moment. */
export const RETRY_AFTER_S = 5;

const WRONG_SIGNATURE =
  'The request signature we calculated does not match the signature you provided. Check your AWS ' +
  'Secret Access Key and signing method. Consult the service documentation for details.';
const UNKNOWN_KEY = 'The security token included in the request is invalid.';

type Refused = Exclude<RequestRefusal['reason'], 'incomplete' | 'expired' | 'not-yet-valid'>;

/** Type and text of what does not depend on the request. */
const REFUSALS: Readonly<Record<Refused, readonly [type: string, message: string]>> = {
  unsigned: ['MissingAuthenticationTokenException', 'Missing Authentication Token'],
  'wrong-service': ['InvalidSignatureException', 'Credential should be scoped to correct service.'],
  'wrong-region': ['InvalidSignatureException', 'Credential should be scoped to a valid region.'],
  'unknown-key': ['UnrecognizedClientException', UNKNOWN_KEY],
  'wrong-session-token': ['UnrecognizedClientException', UNKNOWN_KEY],
  'wrong-signature': ['InvalidSignatureException', WRONG_SIGNATURE],
  'session-expired': [
    'ExpiredTokenException',
    'The security token included in the request is expired',
  ],
};

/** @param times the request's and ours, as `yyyymmddThhmmssZ` */
export function refusalError(
  refusal: RequestRefusal,
  times: { readonly signed: string; readonly now: string; readonly limit: string },
): AwsError {
  const { signed, now, limit } = times;
  switch (refusal.reason) {
    case 'incomplete':
      return new AwsError('IncompleteSignatureException', 403, refusal.what);
    case 'expired': {
      const text = `Signature expired: ${signed} is now earlier than ${limit} (${now} - 15 min.)`;
      return new AwsError('InvalidSignatureException', 403, text);
    }
    case 'not-yet-valid': {
      const text = `${signed} is still later than ${limit} (${now} + 15 min.)`;
      const message = `Signature not yet current: ${text}`;
      return new AwsError('InvalidSignatureException', 403, message);
    }
    default: {
      const [type, message] = REFUSALS[refusal.reason];
      return new AwsError(type, 403, message);
    }
  }
}
