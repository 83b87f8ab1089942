/** Who makes a request: by its bearer token. */
import { timingSafeEqual } from 'node:crypto';
import { type TokenScope, tokenHash } from '../../store/tokens.ts';
import { ApiError } from '../api-error.ts';
import type { ControlContext } from '../context.ts';
import type { FailureLimiter } from './failure-limiter.ts';

export type Caller = { readonly id: string; readonly name: string; readonly scope: TokenScope };

const BEARER = /^Bearer +([\x21-\x7e]{1,512})$/i;
/** The token of the configuration file, which may do everything. */
export const ROOT_ID = '00000000000000000000000000000000';
const ROOT: Caller = { id: ROOT_ID, name: 'configured token', scope: 'write' };

/**
 * Compares hashes, in constant time, so that neither length nor content of a token is told by time.
 * @throws ApiError when the token is missing, unknown or expired, or the address failed too often
 */
export async function authenticate(
  context: ControlContext,
  limiter: FailureLimiter,
  header: string | null,
  address: string,
): Promise<Caller> {
  const nowMs = performance.now();
  if (limiter.isBlocked(address, nowMs)) throw new ApiError('throttled');
  const token = BEARER.exec(header ?? '')?.[1];
  if (token !== undefined) {
    const hash = tokenHash(token);
    if (timingSafeEqual(hash, context.rootTokenHash)) return ROOT;
    const found = await context.store.tokens.find(hash, new Date());
    if (found !== null) return found;
  }
  limiter.onFailure(address, nowMs);
  throw new ApiError('unauthenticated');
}
