/** All identities that there are, as of one moment, secrets opened. */
import { dsqlClusterArn } from '../aws/arn.ts';
import { type Policy, readPolicy } from '../aws/iam-policy.ts';
import type { Log } from '../base/log.ts';
import { credentialContext, secretContext } from './access-keys.ts';
import { type PrincipalRecord, readPrincipal } from './principals.ts';
import type { SecretBox } from './secrets.ts';
import type { Db } from './session.ts';

export type IamSnapshot = {
  readonly principals: readonly PrincipalRecord[];
  /** By id of the principal. */
  readonly policies: ReadonlyMap<string, readonly Policy[]>;
  /** Only those that are active. */
  readonly keys: readonly {
    readonly id: string;
    readonly principalId: string;
    readonly secretKey: string;
  }[];
  readonly sessions: readonly {
    readonly id: string;
    readonly principalId: string;
    readonly sessionName: string;
    readonly secretKey: string;
    readonly token: string;
    readonly expiresAtMs: number;
  }[];
  /** By ARN of the cluster. */
  readonly clusterTags: ReadonlyMap<string, Readonly<Record<string, string>>>;
};

/** Allows nothing, and stands for a policy that cannot be read: it may have been a deny. */
const DENY_ALL: Policy = {
  statements: [
    {
      isAllow: false,
      principals: null,
      actions: { isNot: false, patterns: ['*'] },
      resources: { isNot: false, patterns: ['*'] },
      conditions: [],
    },
  ],
};

type ReadPolicy = { readonly document: string; readonly policy: Policy };
type Opened = { readonly sealed: Buffer; readonly text: string };

/**
 * Reads it again and again: a secret that has been opened once is not opened again as long as it is
 * sealed by the same bytes, and a policy is read once.
 */
export class IamSnapshotReader {
  readonly #box: SecretBox;
  readonly #log: Log;
  #opened = new Map<string, Opened>();
  #policies = new Map<string, ReadPolicy>();

  constructor(box: SecretBox, log: Log) {
    this.#box = box;
    this.#log = log;
  }

  async read(db: Db): Promise<IamSnapshot> {
    const rows = await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (trx) => ({
        principals: await trx.selectFrom('iam_principals').selectAll().execute(),
        policies: await trx.selectFrom('iam_policies').selectAll().execute(),
        keys: await trx
          .selectFrom('iam_access_keys')
          .selectAll()
          .where('is_active', '=', true)
          .execute(),
        sessions: await trx
          .selectFrom('sts_sessions')
          .selectAll()
          .where('expires_on', '>', new Date())
          .execute(),
        clusters: await trx
          .selectFrom('dsql_clusters')
          .select(['id', 'region', 'account_id', 'tags'])
          .execute(),
      }));
    const before = this.#opened;
    this.#opened = new Map();
    return {
      principals: rows.principals.map(readPrincipal),
      policies: this.#policiesOf(rows.policies),
      keys: rows.keys.flatMap(({ id, principal_id: principalId, secret }) => {
        const secretKey = this.#open(before, secretContext(id), secret);
        return secretKey === null ? [] : [{ id, principalId, secretKey }];
      }),
      sessions: rows.sessions.flatMap((row) => {
        const text = this.#open(before, credentialContext(row.id), row.credential);
        if (text === null) return [];
        const { secretKey, token } = JSON.parse(text) as { secretKey: string; token: string };
        const { id, principal_id: principalId, session_name: sessionName } = row;
        const expiresAtMs = row.expires_on.getTime();
        return [{ id, principalId, sessionName, secretKey, token, expiresAtMs }];
      }),
      clusterTags: new Map(
        rows.clusters.map(({ id, region, account_id: account, tags }) => [
          dsqlClusterArn(region, account, id),
          tags,
        ]),
      ),
    };
  }

  #policiesOf(
    rows: readonly { principal_id: string; name: string; document: string }[],
  ): Map<string, Policy[]> {
    const before = this.#policies;
    this.#policies = new Map();
    const policies = new Map<string, Policy[]>();
    for (const { principal_id: id, name, document } of rows) {
      const known = before.get(`${id} ${name}`);
      const policy = known?.document === document ? known.policy : this.#parse(id, name, document);
      this.#policies.set(`${id} ${name}`, { document, policy });
      policies.set(id, [...(policies.get(id) ?? []), policy]);
    }
    return policies;
  }

  #parse(principal: string, name: string, document: string): Policy {
    const read = readPolicy(document, 'identity');
    if (!('problem' in read)) return read;
    const { problem } = read;
    this.#log.error({ principal, name, problem }, 'a policy cannot be read: it denies everything');
    return DENY_ALL;
  }

  /** Null for one that cannot be opened, which is told: the others are good anyway. */
  #open(before: ReadonlyMap<string, Opened>, context: string, sealed: Buffer): string | null {
    const known = before.get(context);
    try {
      const text = known?.sealed.equals(sealed) ? known.text : this.#box.open(sealed, context);
      this.#opened.set(context, { sealed, text });
      return text;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error({ of: context, reason }, 'a key of the store is left out');
      return null;
    }
  }
}
