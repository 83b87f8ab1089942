/**
 * The links of a cluster by role: a session has one for each of its transactions. There are few, as
 * PostgreSQL has a process for each, so idle ones of other roles make room when it is needed.
 */
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import { settingsChange } from './link-settings.ts';
import type { PostgresLink } from './postgres-link.ts';
import type { ServerLink } from './server-link.ts';

/** A link closes at its first check-in after this: no session is to be older than 60 minutes. */
const LINK_AGE_MS_MAX = 55 * 60_000;
/** A link that nobody has needed for so long closes. */
const IDLE_MS_MAX = 5 * 60_000;
const SWEEP_MS = 30_000;
/** Who waits for longer gets the place of a link of another role, even if that is needed too. */
const OVERTAKE_MS = 500;
/** How long a server may take to say whether it takes writes. */
const ASK_TIMEOUT_MS = 3_000;

export type RoleLinksOptions = {
  /** Opens a link to the server that takes writes. */
  open(role: string): Promise<PostgresLink>;
  /** Counts those servers: see {@link Servers.serial}. */
  serial(): number;
  /** Server processes at most, those that are opening or closing among them. */
  readonly linksMax: number;
  readonly waitersMax: number;
  /** How long a transaction waits for its link. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

type Held = {
  readonly link: PostgresLink;
  readonly role: string;
  readonly openedMs: number;
  readonly serial: number;
  /** What it was set to; null when that is not known. */
  settings: ReadonlyMap<string, string> | null;
  /** Whose `currval` it knows; null before its first session. */
  session: symbol | null;
  state: 'idle' | 'used' | 'closing';
  idleSinceMs: number;
};

type Waiter = {
  readonly role: string;
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
  resolve(link: PostgresLink): void;
  reject(error: GatewayError): void;
};

export class RoleLinks {
  readonly #options: RoleLinksOptions;
  /** All whose server process may still be there. */
  readonly #links = new Map<ServerLink, Held>();
  /** Those that are idle, the longest idle first. */
  readonly #idle = new Set<Held>();
  readonly #waiters = new Set<Waiter>();
  /** How many links are being opened, by role. */
  readonly #opening = new Map<string, number>();
  #openingCount = 0;
  readonly #sweeper: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: RoleLinksOptions) {
    this.#options = options;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  /** Links of all kinds, for whoever shows them. */
  get counts(): { readonly open: number; readonly idle: number; readonly waiting: number } {
    const open = this.#links.size + this.#openingCount;
    return { open, idle: this.#idle.size, waiting: this.#waiters.size };
  }

  /**
   * @returns a link outside any transaction, whose settings are to be brought into line by
   *   {@link apply}. It goes back by {@link checkIn} or {@link discard}
   * @throws GatewayError `MR_POOL_…` when there is none in time, `MR_ORIGIN_…` when none opens
   */
  async checkOut(role: string): Promise<PostgresLink> {
    if (this.#isClosed) throw new GatewayError('MR_SHUTTING_DOWN');
    const held = this.#takeIdle(role);
    if (held !== null) return held.link;
    const { waitersMax, waitMs, clock } = this.#options;
    if (this.#waiters.size >= waitersMax) throw new GatewayError('MR_POOL_WAITERS_FULL');
    return await new Promise<PostgresLink>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new GatewayError('MR_POOL_WAIT_TIMEOUT'));
      }, waitMs);
      const waiter: Waiter = { role, sinceMs: clock.nowMs(), timer, resolve, reject };
      this.#waiters.add(waiter);
      this.#serve();
    });
  }

  /**
   * Brings the settings of a link that is checked out to these; all others to their defaults.
   * Outside any transaction.
   *
   * @param settings by name in small letters
   * @param session who is to have it: what sequences gave to another one is forgotten, as
   *   `lastval()` would tell it. Null for work that is no client's
   * @throws ServerError when PostgreSQL refuses one: then none was changed
   */
  async apply(
    link: ServerLink,
    settings: ReadonlyMap<string, string>,
    session: symbol | null = null,
  ): Promise<void> {
    const held = this.#used(link);
    const isOthers = session !== null && held.session !== null && held.session !== session;
    const parts = isOthers ? ['DISCARD SEQUENCES'] : [];
    const change = settingsChange(held.settings, settings);
    if (change !== '') parts.push(change);
    if (parts.length > 0) await link.query(parts.join('; '));
    held.settings = new Map(settings);
    held.session = session ?? held.session;
  }

  /**
   * @param settings what the link has been set to by now; null when that is not known. A link that
   *   is not idle and clean is closed instead
   */
  checkIn(link: ServerLink, settings: ReadonlyMap<string, string> | null): void {
    const held = this.#used(link);
    held.settings = settings === null ? null : new Map(settings);
    if (!held.link.isReusable || this.#isStale(held)) this.#close(held);
    else if (held.link.takeReadOnly()) void this.#ask(held);
    else this.#free(held);
  }

  /** Ends a link that is checked out, and what it does. */
  discard(link: ServerLink): void {
    const held = this.#links.get(link);
    if (held !== undefined) this.#close(held);
    else link.close();
  }

  /** Closes the idle links of a role that must not be used, or is to be dropped. */
  evict(role: string): void {
    for (const held of this.#idle) if (held.role === role) this.#close(held);
  }

  /** Ends all links, and whatever runs on them; resolves when they are closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    for (const waiter of this.#waiters) this.#refuse(waiter, new GatewayError('MR_SHUTTING_DOWN'));
    const links = [...this.#links.values()];
    for (const held of links) this.#close(held);
    await Promise.all(links.map(({ link }) => link.ended));
  }

  #used(link: ServerLink): Held {
    const held = this.#links.get(link);
    if (held?.state === 'used') return held;
    // It may have broken, and so have left, in the meantime.
    if (!link.isOpen) return { ...gone, link: link as PostgresLink, role: link.role };
    throw new Error('the link is not checked out');
  }

  #takeIdle(role: string): Held | null {
    // The one that was used last: the others may then grow old enough to be closed.
    for (const held of [...this.#idle].reverse()) {
      if (held.role !== role) continue;
      if (held.link.isReusable && !this.#isStale(held)) {
        this.#idle.delete(held);
        held.state = 'used';
        return held;
      }
      this.#close(held);
    }
    return null;
  }

  #isStale({ openedMs, serial }: Held): boolean {
    const { clock } = this.#options;
    const isOld = clock.nowMs() - openedMs >= LINK_AGE_MS_MAX;
    return isOld || serial !== this.#options.serial() || this.#isClosed;
  }

  /** Passes a link on to who waits for it, or keeps it. */
  #free(held: Held): void {
    const nowMs = this.#options.clock.nowMs();
    const [first] = this.#waiters;
    const isOvertaking = first !== undefined && first.role !== held.role;
    if (isOvertaking && nowMs - first.sinceMs > OVERTAKE_MS) {
      this.#close(held);
      return;
    }
    for (const waiter of this.#waiters) {
      if (waiter.role !== held.role) continue;
      held.state = 'used';
      this.#settle(waiter);
      waiter.resolve(held.link);
      return;
    }
    held.state = 'idle';
    held.idleSinceMs = nowMs;
    this.#idle.add(held);
    this.#serve();
  }

  /** Opens links for those who wait, as far as there is room, or makes room. */
  #serve(): void {
    const isFull = this.#links.size + this.#openingCount >= this.#options.linksMax;
    if (isFull && this.#idle.size === 0) return;
    const wanted = new Map<string, number>();
    let missing = 0;
    for (const { role } of this.#waiters) {
      const count = (wanted.get(role) ?? 0) + 1;
      wanted.set(role, count);
      if (count <= (this.#opening.get(role) ?? 0)) continue;
      if (this.#links.size + this.#openingCount < this.#options.linksMax) void this.#open(role);
      else missing++;
    }
    for (const held of this.#links.values()) if (held.state === 'closing') missing--;
    for (const held of this.#idle) {
      if (missing-- <= 0) return;
      this.#close(held);
    }
  }

  async #open(role: string): Promise<void> {
    this.#openingCount++;
    this.#opening.set(role, (this.#opening.get(role) ?? 0) + 1);
    const opened = await this.#options.open(role).catch((error) => GatewayError.from(error));
    this.#openingCount--;
    const left = (this.#opening.get(role) ?? 1) - 1;
    if (left > 0) this.#opening.set(role, left);
    else this.#opening.delete(role);
    if (!(opened instanceof GatewayError)) {
      this.#add(opened, role);
      return;
    }
    this.#options.log.debug({ role, reason: opened.message }, 'no link could be opened');
    for (const waiter of this.#waiters) {
      if (waiter.role !== role) continue;
      this.#refuse(waiter, opened);
      break;
    }
    this.#serve();
  }

  #add(link: PostgresLink, role: string): void {
    const nowMs = this.#options.clock.nowMs();
    const serial = this.#options.serial();
    const held: Held = {
      link,
      role,
      serial,
      openedMs: nowMs,
      settings: new Map(),
      session: null,
      state: 'used',
      idleSinceMs: nowMs,
    };
    this.#links.set(link, held);
    void link.ended.then(() => {
      this.#links.delete(link);
      this.#idle.delete(held);
      this.#serve();
    });
    if (this.#isClosed) this.#close(held);
    else this.#free(held);
  }

  /** A link has refused to write: that may be its transaction's fault, or its server's. */
  async #ask(held: Held): Promise<void> {
    const timer = setTimeout(() => held.link.close(), ASK_TIMEOUT_MS);
    try {
      const { rows } = await held.link.query('SELECT pg_catalog.pg_is_in_recovery()');
      if (rows[0]?.[0] === 'f' && held.state === 'used') this.#free(held);
      else this.#close(held);
    } catch {
      this.#close(held);
    } finally {
      clearTimeout(timer);
    }
  }

  #close(held: Held): void {
    this.#idle.delete(held);
    held.state = 'closing';
    held.link.close();
  }

  #sweep(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const held of this.#idle) {
      if (nowMs - held.idleSinceMs >= IDLE_MS_MAX || this.#isStale(held)) this.#close(held);
    }
  }

  #refuse(waiter: Waiter, error: GatewayError): void {
    this.#settle(waiter);
    waiter.reject(error);
  }

  #settle(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
  }
}

/** Stands for a link that is known no more. */
const gone = {
  openedMs: Number.NEGATIVE_INFINITY,
  serial: -1,
  settings: null,
  session: null,
  state: 'closing',
  idleSinceMs: 0,
} as const;
