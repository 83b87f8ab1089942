/** A cluster at work: what its sessions share, from its links to PostgreSQL to its quotas. */
import type { Log } from '../base/log.ts';
import type { Clock, Random } from '../base/time.ts';
import type { OriginConfig } from '../config/model.ts';
import type { SqlParser } from '../sql/facts/parser.ts';
import type { ClusterRecord } from './clusters/cluster-record.ts';
import type { OpenCluster } from './clusters/cluster-run.ts';
import { DsqlError } from './dsql-error.ts';
import type { Admitted, ClusterEntrance } from './login/admission.ts';
import { type ConnectionLimits, ConnectionQuota } from './login/connection-quota.ts';
import { accessDenied } from './login/token-judge.ts';
import { Roles } from './roles/roles.ts';
import { PRIVILEGED_SETTINGS, PrivilegedLink } from './server/privileged-link.ts';
import { RoleLinks } from './server/role-links.ts';
import { roleLogin } from './server/role-login.ts';
import type { ServerLink } from './server/server-link.ts';
import { Servers } from './server/servers.ts';
import { CatalogueEpoch } from './session/catalogue-epoch.ts';
import type { ClientPort } from './session/client-port.ts';
import { ClientSession, SESSION_MS_MAX, sessionTooOld } from './session/client-session.ts';
import type { SessionClient, SessionServices } from './session/session-context.ts';
import { startupValues } from './session/startup-values.ts';
import { StatementJudge } from './statements/statement-judge.ts';
import { Jobs } from './sys/jobs.ts';
import { Adjudicator } from './transactions/adjudicator.ts';
import { AGE_MS_MAX } from './transactions/quotas.ts';

/** Transactions at once: each has a server process of PostgreSQL. Others wait for one to end. */
export const LINKS_MAX = 80;
/** Every client that a cluster takes may wait. */
const WAITERS_MAX = 10_000;
/** How long a transaction waits for its link, and a link for a server that takes writes. */
const WAIT_MS = 15_000;
const CANCEL_KEY_SIZE = 4;

export type ClusterParts = {
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly limits: ConnectionLimits;
  /** As it is now: policy and tags change while it is open. Null when it is gone. */
  recordOf(id: string): ClusterRecord | null;
  /** It was closed. */
  onClosed?(): void;
};

type Below = {
  readonly servers: Servers;
  readonly privileged: PrivilegedLink;
  readonly links: RoleLinks;
  readonly roles: Roles;
  readonly jobs: Jobs;
  readonly adjudicator: Adjudicator;
};

export class Cluster implements OpenCluster, ClusterEntrance {
  readonly quota: ConnectionQuota;
  readonly #first: ClusterRecord;
  readonly #parts: ClusterParts;
  readonly #below: Below;
  readonly #services: SessionServices;
  /** Each settles when its session is over. */
  readonly #sessions = new Map<ClientSession, Promise<void>>();

  private constructor(record: ClusterRecord, below: Below, parts: ClusterParts) {
    const { clock, log, limits, parser } = parts;
    this.#first = record;
    this.#parts = parts;
    this.#below = below;
    this.quota = new ConnectionQuota(limits, clock.nowMs());
    const { links, roles, jobs, adjudicator } = below;
    const judge = new StatementJudge(parser);
    this.#services = {
      links,
      roles,
      jobs,
      adjudicator,
      judge: (text) => judge.judge(text),
      catalogue: new CatalogueEpoch(),
      clock,
      log,
    };
  }

  /**
   * Makes PostgreSQL ready, and knows from then on who may log in.
   * @throws GatewayError `MR_ORIGIN_…`, or `MR_SETUP_REFUSED` when the login of the URL may not
   */
  static async open(
    record: ClusterRecord,
    origins: readonly OriginConfig[],
    parts: ClusterParts,
  ): Promise<Cluster> {
    const below = belowOf(record, origins, parts);
    try {
      await below.roles.setUp();
      await below.jobs.start();
      return new Cluster(record, below, parts);
    } catch (error) {
      await closeBelow(below);
      throw error;
    }
  }

  get record(): ClusterRecord {
    return this.#parts.recordOf(this.#first.id) ?? this.#first;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  /** Links of all roles to PostgreSQL. */
  get linkCounts(): RoleLinks['counts'] {
    return this.#below.links.counts;
  }

  /** What a client is told for cancel requests, which have no effect. */
  newIdentity(): { readonly processId: number; readonly secretKey: Uint8Array } {
    const { random } = this.#parts;
    const processId = Buffer.from(random.bytes(4)).readUInt32BE() >>> 1;
    return { processId, secretKey: random.bytes(CANCEL_KEY_SIZE) };
  }

  /**
   * The settings of a client that asks to be let in, as PostgreSQL shows them.
   * @throws DsqlError | ServerError | GatewayError it is not let in
   */
  async introduce({
    role,
    principal,
    settings,
  }: Admitted<Cluster>): Promise<ReadonlyMap<string, string>> {
    const verdict = this.#below.roles.mayLogIn(role, principal.mappedArn);
    if (verdict === 'no-role') throw new DsqlError('28000', `Role ${role} does not exist`);
    if (verdict === 'no-login') throw accessDenied(`role ${role} must have the LOGIN attribute`);
    if (verdict === 'unmapped') {
      const hint = `AWS IAM GRANT "${role}" TO '${principal.mappedArn}' lets it in.`;
      throw accessDenied(`There is no association of the role with the identity. ${hint}`);
    }
    return await startupValues(this.#below.links, role, settings);
  }

  /** Serves a client to its end. Never rejects. */
  async serve(client: SessionClient, port: ClientPort): Promise<void> {
    const session = new ClientSession(this.#services, client, port);
    const ending = setTimeout(() => session.end(sessionTooOld()), SESSION_MS_MAX);
    // What is open then may go on, but not for longer than a transaction can.
    const lastMs = SESSION_MS_MAX + AGE_MS_MAX;
    const cutting = setTimeout(() => session.cut(sessionTooOld()), lastMs);
    const run = session.run();
    this.#sessions.set(session, run);
    try {
      await run;
    } finally {
      clearTimeout(ending);
      clearTimeout(cutting);
      this.#sessions.delete(session);
    }
  }

  /**
   * Ends sessions politely: those without a transaction now, the others with its end.
   * @returns once all have ended, or after so long
   */
  async drain(timeoutMs: number): Promise<void> {
    for (const session of this.#sessions.keys()) session.end(shuttingDown());
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([Promise.all(this.#sessions.values()), limit]);
    clearTimeout(timer);
  }

  /** Another cluster may have this PostgreSQL from now on. */
  async #release(): Promise<void> {
    if (this.#first.originUrls.length === 0) return;
    try {
      await this.#below.roles.release();
    } catch (error) {
      const { message: reason } = error as Error;
      this.#parts.log.warn({ reason }, 'the roles of a cluster were not released');
    }
  }

  async close(isDeleted: boolean): Promise<void> {
    for (const session of this.#sessions.keys()) session.cut(shuttingDown());
    await Promise.all(this.#sessions.values());
    if (isDeleted) await this.#release();
    await closeBelow(this.#below);
    this.#parts.onClosed?.();
  }
}

function belowOf(
  record: ClusterRecord,
  origins: readonly OriginConfig[],
  { clock, random, log }: ClusterParts,
): Below {
  const { roleSecret } = record;
  const servers = new Servers({ origins, waitMs: WAIT_MS, clock, log });
  const privileged = new PrivilegedLink(() => servers.open(null, PRIVILEGED_SETTINGS), clock);
  const links = new RoleLinks({
    open: (role) => servers.open(roleLogin(roleSecret, role)),
    serial: () => servers.serial,
    linksMax: LINKS_MAX,
    waitersMax: WAITERS_MAX,
    waitMs: WAIT_MS,
    clock,
    log,
  });
  const onChanged = (changed: readonly string[]): void => {
    for (const role of changed) links.evict(role);
  };
  const roles = new Roles({ privileged, roleSecret, random, log, onChanged });
  const adjudicator = new Adjudicator({
    clock,
    control: () => servers.open(null, PRIVILEGED_SETTINGS),
    guard: (role) => servers.open(roleLogin(roleSecret, role)),
  });
  const watchOver = (link: ServerLink) => adjudicator.watchOver(link);
  const jobs = new Jobs({ privileged, links, watchOver, clock, random, log });
  return { servers, privileged, links, roles, jobs, adjudicator };
}

async function closeBelow(below: Below): Promise<void> {
  const { servers, privileged, links, roles, jobs, adjudicator } = below;
  adjudicator.close();
  roles.close();
  await jobs.close();
  servers.close();
  privileged.close();
  await links.close();
}

const shuttingDown = (): DsqlError =>
  new DsqlError('57P01', 'terminating connection due to administrator command');
