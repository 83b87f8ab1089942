/**
 * STS, as far as the SDKs need it to be somebody, or somebody else: `GetCallerIdentity` and
 * `AssumeRole`. Source: AWS Security Token Service API Reference, version 2011-06-15.
 */
import { assumedRoleArn, parseArn, SESSION_NAME } from '../../aws/arn.ts';
import { AwsError, denied } from './aws-error.ts';
import type { AwsCall } from './aws-request.ts';
import { newSecretKey, newSessionKeyId, newSessionToken } from './minting.ts';
import { element } from './xml.ts';

const VERSION = '2011-06-15';
const NAMESPACE = `https://sts.amazonaws.com/doc/${VERSION}/`;
const PARAMETERS_MAX = 64;

const DURATION_MIN_S = 900;
export const DURATION_MAX_S = 43_200;
const DURATION_DEFAULT_S = 3_600;
/** Of a session that a session asks for. */
const CHAINED_MAX_S = 3_600;

/** What AssumeRole takes at AWS, and what would be granted wrongly if it were left out. */
const REFUSED: readonly string[] = [
  'Policy',
  'PolicyArns',
  'Tags',
  'TransitiveTagKeys',
  'SerialNumber',
  'TokenCode',
  'SourceIdentity',
  'ProvidedContexts',
];
const ASSUME_ROLE = new Set([
  'Action',
  'Version',
  'RoleArn',
  'RoleSessionName',
  'DurationSeconds',
  'ExternalId',
]);

/** The names that STS gives to errors which other services call differently. */
const NAMES: Readonly<Record<string, readonly [code: string, status: number]>> = {
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
  IncompleteSignatureException: ['IncompleteSignature', 400],
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  UnrecognizedClientException: ['InvalidClientTokenId', 403],
  ExpiredTokenException: ['ExpiredToken', 403],
  AccessDeniedException: ['AccessDenied', 403],
  InternalServerException: ['InternalFailure', 500],
};

export function stsErrorBody(error: AwsError, requestId: string): { status: number; xml: string } {
  const [code, status] = NAMES[error.type] ?? [error.type, error.status];
  const kind = status >= 500 ? 'Receiver' : 'Sender';
  const fields = { Type: kind, Code: code, Message: error.message };
  const xml = element('ErrorResponse', { Error: fields, RequestId: requestId }, NAMESPACE);
  return { status, xml };
}

const wrong = (message: string): AwsError => new AwsError('ValidationError', 400, message);

/** @returns the answer in XML */
export async function serveSts(call: AwsCall, body: string, requestId: string): Promise<string> {
  const form = readForm(body);
  const action = form.get('Action') ?? '';
  if (form.get('Version') !== VERSION) {
    throw new AwsError('InvalidAction', 400, `Could not find operation ${action} for this version`);
  }
  const answer = (result: object): string =>
    element(
      `${action}Response`,
      { [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } },
      NAMESPACE,
    );
  if (action === 'GetCallerIdentity') return answer(callerIdentity(call));
  if (action === 'AssumeRole') return answer(await assumeRole(call, form));
  throw new AwsError('InvalidAction', 400, `Could not find operation ${action.slice(0, 64)}`);
}

function readForm(body: string): ReadonlyMap<string, string> {
  const pairs = [...new URLSearchParams(body)];
  if (pairs.length > PARAMETERS_MAX) throw wrong('The request has too many parameters');
  const form = new Map(pairs);
  if (form.size !== pairs.length) throw wrong('A parameter is there twice');
  return form;
}

/** Nobody needs a permission for it, as at AWS. */
function callerIdentity({ principal, aws }: AwsCall): object {
  const { arn, accountId } = principal;
  return { Arn: arn, UserId: aws.identities.userId(principal), Account: accountId };
}

async function assumeRole(call: AwsCall, form: ReadonlyMap<string, string>): Promise<object> {
  const { principal, aws, context } = call;
  const asked = readAssumeRole(form);
  const { accountId, roleName, sessionName, externalId, roleArn } = asked;
  const role = aws.identities.assumable(principal, accountId, {
    roleName,
    sessionName,
    externalId,
  });
  if (role === null) throw denied(principal.arn, 'sts:AssumeRole', roleArn);
  if (asked.durationS > role.maxSessionS) {
    throw wrong('The requested DurationSeconds exceeds the MaxSessionDuration set for this role.');
  }
  const isChained = principal.arn !== principal.mappedArn;
  if (isChained && asked.durationS > CHAINED_MAX_S) {
    const limit = 'the 1 hour session limit for roles assumed by role chaining';
    throw wrong(`The requested DurationSeconds exceeds ${limit}`);
  }
  const { random, store } = context;
  const session = {
    id: newSessionKeyId(random),
    principalId: role.id,
    sessionName,
    secretKey: newSecretKey(random),
    token: newSessionToken(random),
    // The second at which it ends is what the client is told.
    expiresOn: new Date((Math.floor(Date.now() / 1000) + asked.durationS) * 1000),
  };
  const added = await store.accessKeys.addSession(session, principal.arn);
  if (added === 'too-many') throw new AwsError('Throttling', 400, 'Rate exceeded');
  if (added === 'gone') throw wrong('The role was deleted meanwhile');
  await aws.identities.refresh();
  return {
    AssumedRoleUser: {
      AssumedRoleId: `${role.id}:${sessionName}`,
      Arn: assumedRoleArn(accountId, roleName, sessionName),
    },
    Credentials: {
      AccessKeyId: session.id,
      SecretAccessKey: session.secretKey,
      SessionToken: session.token,
      Expiration: session.expiresOn.toISOString().replace('.000Z', 'Z'),
    },
  };
}

function readAssumeRole(form: ReadonlyMap<string, string>) {
  for (const name of form.keys()) {
    const [member = ''] = name.split('.');
    if (REFUSED.includes(member)) throw wrong(`${member} is unsupported by this endpoint`);
    if (!ASSUME_ROLE.has(name)) throw wrong(`There is no parameter ${name.slice(0, 64)}`);
  }
  const roleArn = form.get('RoleArn') ?? '';
  const arn = parseArn(roleArn);
  const [type, roleName = '', ...more] = arn?.resource.split('/') ?? [];
  if (arn?.service !== 'iam' || type !== 'role' || roleName === '' || more.length > 0) {
    throw wrong(`${roleArn.slice(0, 64)} is invalid: RoleArn must be the ARN of a role`);
  }
  const sessionName = form.get('RoleSessionName') ?? '';
  if (!SESSION_NAME.test(sessionName)) {
    throw wrong('RoleSessionName must have 2 to 64 of the characters A-Z a-z 0-9 _ + = , . @ -');
  }
  const externalId = form.get('ExternalId') ?? null;
  if (externalId !== null && !/^[\w+=,.@:/\\-]{2,1224}$/.test(externalId)) {
    throw wrong(
      'ExternalId must have 2 to 1224 of the characters A-Z a-z 0-9 _ + = , . @ : / \\ -',
    );
  }
  const duration = form.get('DurationSeconds') ?? String(DURATION_DEFAULT_S);
  const durationS = /^\d{1,6}$/.test(duration) ? Number(duration) : 0;
  if (durationS < DURATION_MIN_S || durationS > DURATION_MAX_S) {
    throw wrong(`DurationSeconds must be ${DURATION_MIN_S} to ${DURATION_MAX_S}`);
  }
  const { accountId } = arn;
  return { roleArn, accountId, roleName, sessionName, externalId, durationS };
}
