/** Who signs: what a token check asks of whoever keeps users, roles and their keys. */
import type { SigningKey } from './signing-key.ts';

/** Who a signature is of. */
export type Principal = {
  /** Such as `arn:aws:iam::<account>:user/<name>`, or of a session `arn:aws:sts::…`. */
  readonly arn: string;
  /** What database roles are associated with: of an assumed role that of the role itself. */
  readonly mappedArn: string;
  readonly accountId: string;
};

export type SignerKey = { readonly key: SigningKey; readonly principal: Principal };

/** What somebody wants to do to what. */
export type AccessRequest = {
  /** Such as `dsql:DbConnectAdmin`. */
  readonly action: string;
  /** An ARN. */
  readonly resource: string;
  /** The policy of the resource itself, as JSON text; null where it has none. */
  readonly resourcePolicy: string | null;
};

export interface Identities {
  /** The key of an access key id, or null when there is none, or it is inactive. */
  signer(accessKeyId: string): SignerKey | null;
  /** As IAM evaluates: an explicit deny wins, and what nobody allows is denied. */
  isAllowed(principal: Principal, request: AccessRequest): boolean;
}
