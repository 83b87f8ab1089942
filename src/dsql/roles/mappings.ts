/** Who may log in as what, in memory: it is asked at each login and each transaction's begin. */
import type { ServerLink } from '../server/server-link.ts';
import { ADMIN } from '../statements/system-entity.ts';
import { ROLE_MARK } from './role-names.ts';

/** Roles and their mappings beyond these cannot log in. */
const MAPPINGS_MAX = 100_000;

export type MayLogIn = 'ok' | 'no-role' | 'no-login' | 'unmapped';

type Role = { readonly canLogIn: boolean; readonly arns: ReadonlySet<string> };

export class Mappings {
  #roles: ReadonlyMap<string, Role> = new Map();

  /**
   * @param link of the endpoint itself
   * @returns whether there were more than can be kept
   * @throws ServerError | GatewayError and keeps what it had
   */
  async load(link: Pick<ServerLink, 'query'>): Promise<boolean> {
    const { rows } = await link.query(
      `SELECT r.rolname, r.rolcanlogin, t.arn
       FROM pg_roles AS r LEFT JOIN sys.iam_trusts AS t ON t.pg_role_oid = r.oid
       WHERE starts_with(shobj_description(r.oid, 'pg_authid'), $1)
       ORDER BY t.iam_oid LIMIT $2`,
      [ROLE_MARK, String(MAPPINGS_MAX + 1)],
    );
    const roles = new Map<string, { canLogIn: boolean; arns: Set<string> }>();
    for (const [name, canLogIn, arn] of rows.slice(0, MAPPINGS_MAX)) {
      const role = roles.get(name ?? '') ?? { canLogIn: canLogIn === 't', arns: new Set() };
      roles.set(name ?? '', role);
      if (arn != null) role.arns.add(arn);
    }
    this.#roles = roles;
    return rows.length > MAPPINGS_MAX;
  }

  /** @param mappedArn of a role or user of IAM, as it is in the mapping */
  mayLogIn(role: string, mappedArn: string): MayLogIn {
    const found = this.#roles.get(role);
    if (found === undefined) return 'no-role';
    if (!found.canLogIn) return 'no-login';
    // Whose policies allow DbConnectAdmin needs no more than that.
    return role === ADMIN || found.arns.has(mappedArn) ? 'ok' : 'unmapped';
  }
}
