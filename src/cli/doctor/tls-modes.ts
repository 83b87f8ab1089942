/** The origin that the doctor looks at, with another `sslmode` than it was given. */
import type { OriginConfig } from '../../config/model.ts';
import { readAwsOrigin, shippedRoots } from '../../config/resolve-aws.ts';

/** As it would be with `sslmode=verify-full` in its URL, which is what is advised. */
export async function verifiedOrigin(origin: OriginConfig): Promise<OriginConfig> {
  const sslmode = 'verify-full';
  const ca = origin.ca ?? (await shippedRoots(readAwsOrigin({ host: origin.host }), sslmode));
  return { ...origin, sslmode, ca };
}

/** In the way in which a connection has come about: there is no second choice any more. */
export function settledOrigin(origin: OriginConfig, isEncrypted: boolean): OriginConfig {
  const isOpen = origin.sslmode === 'allow' || origin.sslmode === 'prefer';
  const encrypted = isOpen ? 'require' : origin.sslmode;
  return { ...origin, sslmode: isEncrypted ? encrypted : 'disable' };
}
