/** The roles of a cluster: setting them up, changing them, and who may log in as which. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/time.ts';
import type { Deferred, Invoker } from '../deferred.ts';
import type { PrivilegedLink } from '../server/privileged-link.ts';
import { roleVerifier } from '../server/role-login.ts';
import { ServerError } from '../server/server-link.ts';
import type { RoleStatement } from '../statements/judgement.ts';
import { ADMIN } from '../statements/system-entity.ts';
import { Mappings, type MayLogIn } from './mappings.ts';
import { changeRoles } from './role-change.ts';
import { adminMark } from './role-names.ts';
import { ownSql, tagOf } from './role-sql.ts';
import { type Endpoint, setUp } from './set-up.ts';

/** What another process has changed counts here after this at most. */
const RELOAD_MS = 3_000;
/** Roles are of the whole server: somebody in another database may change them just now. */
const ATTEMPTS_MAX = 8;
const ATTEMPT_PAUSE_MS = 100;

export type RolesOptions = {
  readonly privileged: PrivilegedLink;
  /** Of the cluster: what the passwords of its roles are derived from. */
  readonly roleSecret: Uint8Array;
  readonly random: Random;
  readonly log: Log;
  /** A role was changed, or may be gone: links that log in as it should not be kept. */
  onChanged?(roles: readonly string[]): void;
};

export class Roles {
  readonly #options: RolesOptions;
  readonly #mappings = new Mappings();
  #endpoint: Endpoint | null = null;
  #reloader: NodeJS.Timeout | null = null;
  #isReloading = false;

  constructor(options: RolesOptions) {
    this.#options = options;
  }

  /**
   * Makes the server ready, and reads who may log in, from now on again and again.
   *
   * @throws GatewayError `MR_SETUP_REFUSED` when the endpoint's own role cannot do it
   */
  async setUp(): Promise<void> {
    const { privileged, roleSecret, random, log } = this.#options;
    const verifierOf = (role: string) => roleVerifier(roleSecret, role, random);
    const parts = { verifierOf, mark: adminMark(roleSecret), log };
    this.#endpoint = await patiently(() =>
      privileged.transaction((link) => setUp(link, parts)),
    ).catch((error: unknown) => {
      if (!(error instanceof ServerError)) throw error;
      const { sqlstate, message } = error.fields;
      throw new GatewayError('MR_SETUP_REFUSED', { subject: `${sqlstate}: ${message}` });
    });
    await this.#load();
    this.#reloader ??= setInterval(() => void this.#reload(), RELOAD_MS).unref();
  }

  /** Whether the role may be used by whoever `mappedArn` is, as of a few seconds ago. */
  mayLogIn(role: string, mappedArn: string): MayLogIn {
    return this.#mappings.mayLogIn(role, mappedArn);
  }

  /**
   * Tries a statement out, so that the client hears at once what is wrong with it; it is done when
   * the client's transaction commits, which may fail then, as others may have been faster.
   *
   * @param _text is not run: see `role-sql.ts`
   * @throws DsqlError | ServerError
   */
  async prepare(
    statement: RoleStatement,
    _text: string,
    invoker: Invoker,
  ): Promise<Deferred & { readonly tag: string }> {
    const work = await this.#workOf(statement, invoker);
    const { privileged } = this.#options;
    await patiently(() => privileged.rehearsal(work));
    return {
      tag: tagOf(statement),
      commit: async () => {
        await patiently(() => privileged.transaction(work));
        await this.#load();
        this.#options.onChanged?.(touched(statement));
      },
    };
  }

  /** Leaves the roles to whatever cluster comes next: this one is deleted. */
  async release(): Promise<void> {
    this.close();
    for (const sql of ownSql(ADMIN, null)) await this.#options.privileged.query(sql);
  }

  close(): void {
    if (this.#reloader !== null) clearInterval(this.#reloader);
    this.#reloader = null;
  }

  async #workOf(statement: RoleStatement, invoker: Invoker) {
    const endpoint = this.#endpoint;
    if (endpoint === null) throw new Error('roles are changed after the set-up');
    const { roleSecret, random } = this.#options;
    const verifier =
      statement.kind === 'create' ? await roleVerifier(roleSecret, statement.role, random) : '';
    return (link: Parameters<typeof changeRoles>[0]) =>
      changeRoles(link, statement, { invoker, endpoint, verifier });
  }

  async #load(): Promise<void> {
    if (!(await this.#mappings.load(this.#options.privileged))) return;
    this.#options.log.error({}, 'there are more roles and IAM mappings than can be kept');
  }

  async #reload(): Promise<void> {
    if (this.#isReloading) return;
    this.#isReloading = true;
    try {
      await this.#load();
    } catch (error) {
      const { message: reason } = error as Error;
      this.#options.log.warn({ reason }, 'who may log in as which role could not be read again');
    } finally {
      this.#isReloading = false;
    }
  }
}

/** The roles whose links are of the past. */
function touched(statement: RoleStatement): readonly string[] {
  if (statement.kind === 'drop') return statement.roles;
  return statement.kind === 'alter' ? [statement.role] : [];
}

/** Tries again where another session was just changing the same. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= ATTEMPTS_MAX || !isCollision(error)) throw error;
      await sleep(ATTEMPT_PAUSE_MS * attempt, undefined, { ref: false });
    }
  }
}

function isCollision(error: unknown): boolean {
  if (!(error instanceof ServerError)) return false;
  const { sqlstate, message } = error.fields;
  // Catalogues are not locked by rows: who comes second is told so in these ways.
  if (sqlstate === 'XX000') return /^tuple concurrently (updated|deleted)$/.test(message);
  return sqlstate === '23505' || sqlstate === '40P01' || sqlstate === '55P03';
}
