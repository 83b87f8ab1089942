/** For tests of what is below the DSQL endpoint: origins and links of the test server. */
import { randomBytes } from 'node:crypto';
import { silentLog } from '../../src/base/log.ts';
import type { Clock, Random } from '../../src/base/time.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { parseOriginUrl } from '../../src/config/resolve-origin.ts';
import { DsqlError } from '../../src/dsql/dsql-error.ts';
import { Roles } from '../../src/dsql/roles/roles.ts';
import { openLink, type PostgresLink } from '../../src/dsql/server/postgres-link.ts';
import { PRIVILEGED_SETTINGS, PrivilegedLink } from '../../src/dsql/server/privileged-link.ts';
import { RoleLinks } from '../../src/dsql/server/role-links.ts';
import { roleLogin } from '../../src/dsql/server/role-login.ts';
import { type ReplySink, ServerError } from '../../src/dsql/server/server-link.ts';
import { Servers } from '../../src/dsql/server/servers.ts';
import type { RoleStatement } from '../../src/dsql/statements/judgement.ts';
import { Jobs } from '../../src/dsql/sys/jobs.ts';

export const LINK_OPTIONS = { connectTimeoutMs: 10_000, log: silentLog };

export async function originOf(
  url: string,
  changes: Partial<OriginConfig> = {},
): Promise<OriginConfig> {
  const { origin } = await parseOriginUrl(url);
  return { ...origin, ...changes };
}

/** A link as whom the URL says. */
export async function linkTo(
  url: string,
  changes: Partial<OriginConfig> = {},
): Promise<PostgresLink> {
  const origin = await originOf(url, changes);
  return await openLink(origin, { role: origin.user, password: origin.password }, LINK_OPTIONS);
}

/** Keeps what it is given. */
export class KeptReplies implements ReplySink {
  readonly chunks: Buffer[] = [];

  take(messages: Buffer): void {
    this.chunks.push(messages);
  }

  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** The type bytes of the messages. Fails when a chunk is anything but whole messages. */
  get codes(): string {
    let codes = '';
    for (const chunk of this.chunks) {
      let at = 0;
      while (at < chunk.length) {
        codes += String.fromCharCode(chunk[at] as number);
        at += 1 + chunk.readUInt32BE(at + 1);
      }
      if (at !== chunk.length) throw new Error('a chunk ends within a message');
    }
    return codes;
  }
}

export const CLOCK: Clock = { nowMs: () => performance.now() };
export const RANDOM: Random = { bytes: (count) => randomBytes(count) };

/** What is below one cluster, made as the endpoint makes it. */
export class TestBelow {
  readonly url: string;
  readonly roleSecret = randomBytes(32);
  readonly servers: Servers;
  readonly privileged: PrivilegedLink;
  readonly links: RoleLinks;
  readonly roles: Roles;
  readonly jobs: Jobs;
  readonly warnings: string[] = [];

  private constructor(url: string, origin: OriginConfig) {
    this.url = url;
    const warn = (_: object, text: string): void => void this.warnings.push(text);
    const log = { ...silentLog, warn, error: warn };
    this.servers = new Servers({ origins: [origin], waitMs: 5_000, clock: CLOCK, log });
    this.privileged = new PrivilegedLink(() => this.servers.open(null, PRIVILEGED_SETTINGS), CLOCK);
    this.links = new RoleLinks({
      open: (role) => this.servers.open(roleLogin(this.roleSecret, role)),
      serial: () => this.servers.serial,
      linksMax: 20,
      waitersMax: 100,
      waitMs: 10_000,
      clock: CLOCK,
      log,
    });
    const { privileged, roleSecret } = this;
    this.roles = new Roles({ privileged, roleSecret, random: RANDOM, log });
    const { links } = this;
    this.jobs = new Jobs({
      privileged,
      links,
      watchOver: () => () => {},
      clock: CLOCK,
      random: RANDOM,
      log,
    });
  }

  static async open(url: string): Promise<TestBelow> {
    return new TestBelow(url, await originOf(url));
  }

  /** Set up, too. */
  static async start(url: string): Promise<TestBelow> {
    const below = await TestBelow.open(url);
    await below.roles.setUp();
    await below.jobs.start();
    return below;
  }

  /** Runs a role statement as a transaction of its own. */
  async change(statement: RoleStatement, role = 'admin'): Promise<string> {
    const invoker = { role, isAdmin: role === 'admin' };
    const change = await this.roles.prepare(statement, '', invoker);
    await change.commit();
    return change.tag;
  }

  async makeRole(role: string, changes: Partial<CreateRole> = {}): Promise<void> {
    await this.change({ ...createRole(role), ...changes });
  }

  /** Runs SQL as a role of the cluster, past all judgement: what PostgreSQL itself lets it do. */
  async as(role: string, sql: string): Promise<readonly (readonly (string | null)[])[]> {
    const link = await this.links.checkOut(role);
    try {
      return (await link.query(sql)).rows;
    } finally {
      this.links.discard(link);
    }
  }

  async close(): Promise<void> {
    await this.jobs.close();
    this.roles.close();
    this.privileged.close();
    await this.links.close();
    this.servers.close();
  }
}

type CreateRole = Extract<RoleStatement, { readonly kind: 'create' }>;

export const createRole = (role: string): CreateRole => ({
  kind: 'create',
  role,
  isLogin: true,
  isInherit: true,
  inRoles: [],
  members: [],
  admins: [],
});

export const membership = (
  isGrant: boolean,
  granted: string,
  grantee: string,
  hasAdminOption = false,
): RoleStatement => ({
  kind: 'membership',
  isGrant,
  granted: [granted],
  grantees: [grantee],
  hasAdminOption,
});

/** The SQLSTATE and text that something fails with; `fine` when it does not. */
export async function failureOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'fine';
  } catch (error) {
    if (error instanceof ServerError) return `${error.fields.sqlstate} ${error.fields.message}`;
    if (error instanceof DsqlError) return `${error.sqlstate} ${error.message}`;
    throw error;
  }
}
