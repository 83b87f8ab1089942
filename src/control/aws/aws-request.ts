/** A request to an API of AWS: read from the wire, and who it is of. */
import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import type { Principal } from '../../aws/identities.ts';
import { formatDateTime } from '../../aws/signature.ts';
import {
  type ReceivedRequest,
  type RequestRefusal,
  readSignedRequest,
  refuseRequest,
  type SignedRequest,
} from '../../aws/signed-request.ts';
import { SKEW_MAX_MS } from '../../aws/signing-key.ts';
import type { ControlContext } from '../context.ts';
import { refusalError } from './aws-error.ts';
import type { AwsPlane } from './aws-plane.ts';

export type AwsRequest = ReceivedRequest & {
  readonly body: Buffer;
};

/** What every operation works with. */
export type AwsCall = {
  readonly principal: Principal;
  readonly aws: AwsPlane;
  readonly context: ControlContext;
};

/** The members of an answer in JSON. */
export type Answer = Readonly<Record<string, unknown>>;

/** What the HTTP server adds: the path as it was on the wire, which a signature is of. */
type Environment = { incoming?: { url?: string | undefined } } | undefined;

export async function receive(c: Context): Promise<AwsRequest> {
  const { pathname, search } = new URL(c.req.url);
  const target = (c.env as Environment)?.incoming?.url ?? pathname + search;
  const mark = target.indexOf('?');
  const body = Buffer.from(await c.req.arrayBuffer());
  return {
    method: c.req.method,
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark + 1),
    header: (name) => c.req.header(name) ?? null,
    bodyHash: createHash('sha256').update(body).digest('hex'),
    body,
  };
}

/** @throws AwsError for any request that is not signed as it must be */
export function authenticateRequest(
  aws: AwsPlane,
  request: ReceivedRequest,
  service: 'dsql' | 'sts',
): Principal {
  const nowMs = Date.now();
  const signed = readSignedRequest(request);
  if ('reason' in signed) throw refused(signed, null, nowMs);
  const signer = aws.identities.signer(signed.accessKeyId);
  const key = signer?.key ?? null;
  const refusal = refuseRequest(signed, { service, region: aws.region, key, nowMs });
  if (refusal !== null || signer === null) {
    throw refused(refusal ?? { reason: 'unknown-key' }, signed, nowMs);
  }
  return signer.principal;
}

function refused(refusal: RequestRefusal, signed: SignedRequest | null, nowMs: number) {
  const skew = refusal.reason === 'expired' ? -SKEW_MAX_MS : SKEW_MAX_MS;
  return refusalError(refusal, {
    signed: signed?.dateTime ?? '',
    now: formatDateTime(nowMs),
    limit: formatDateTime(nowMs + skew),
  });
}
