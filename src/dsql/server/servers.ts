/**
 * The PostgreSQL below a cluster, which may be several servers of which one takes writes: the nodes
 * of Patroni, or a failover pair. Every new link has proven that its server takes writes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { OriginConfig } from '../../config/model.ts';
import { type LinkLogin, openLink, type PostgresLink } from './postgres-link.ts';
import { ROLE_SETTINGS } from './role-login.ts';
import { type Proof, proveWrites } from './write-proof.ts';

/** More servers than these are a mistake. */
const SERVERS_MAX = 16;
/** One attempt to connect, log in and ask. A server that hangs holds up nobody but itself. */
const LOOK_TIMEOUT_MS = 3_000;
/** A server that does not take writes is asked again after this, while somebody waits. */
const LOOK_PAUSE_MS = 150;
/** When one takes writes, the others have so long to say that they are the newer one. */
const GRACE_MS = 150;

export type ServersOptions = {
  /** Addresses of one database, with the login of the endpoint itself. */
  readonly origins: readonly OriginConfig[];
  /** How long opening a link waits for a server that takes writes. */
  readonly waitMs: number;
  readonly clock: Clock;
  readonly log: Log;
};

/** A server that takes writes, as far as is known. */
type Primary = { readonly origin: OriginConfig; readonly timeline: number };

/** One search, that all who wait share. */
type Search = {
  found: Promise<Primary | null>;
  /** What was wrong with the servers, the most telling of it. */
  error: GatewayError | null;
  /** Servers that have not said anything yet. */
  readonly silent: Set<OriginConfig>;
  readonly candidates: Primary[];
  readonly over: AbortController;
};

export class Servers {
  readonly #options: ServersOptions;
  #primary: Primary | null = null;
  /** What links that are open lead to. */
  #last: Primary | null = null;
  /** The newest that any server had. */
  #timeline = 0;
  #serial = 0;
  #search: Search | null = null;
  readonly #closed = new AbortController();

  constructor(options: ServersOptions) {
    if (options.origins.length === 0 || options.origins.length > SERVERS_MAX) {
      const subject = `a cluster needs 1 to ${SERVERS_MAX} addresses of PostgreSQL`;
      throw new GatewayError('MR_CONFIG_INVALID', { subject });
    }
    this.#options = options;
  }

  /** Counts the servers that were found to take writes: links of another one are of no use. */
  get serial(): number {
    return this.#serial;
  }

  /**
   * Opens a link to the server that takes writes, waiting for one if need be.
   *
   * @param login null for the endpoint's own
   * @param parameters settings of the session from its start, beside {@link ROLE_SETTINGS}
   * @throws GatewayError `MR_ORIGIN_…`: `NO_WRITER` when servers answer and none takes writes
   */
  async open(
    login: LinkLogin | null,
    parameters: Readonly<Record<string, string>> = {},
  ): Promise<PostgresLink> {
    const settings = login === null ? parameters : { ...ROLE_SETTINGS, ...parameters };
    const endMs = this.#options.clock.nowMs() + this.#options.waitMs;
    for (;;) {
      const primary = this.#primary ?? (await this.#await(endMs));
      try {
        return await this.#connect(primary, login, settings);
      } catch (error) {
        this.#checkWorthAnother(GatewayError.from(error), endMs);
        this.#doubt(primary, (error as Error).message);
        await this.#pause();
      }
    }
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#closed.abort();
  }

  async #connect(
    primary: Primary,
    login: LinkLogin | null,
    parameters: Readonly<Record<string, string>>,
  ): Promise<PostgresLink> {
    const { origin } = primary;
    const { link, proof } = await this.#look(origin, login, parameters, (reason) =>
      this.#doubt(primary, reason),
    );
    if (proof.takesWrites && proof.timeline >= this.#timeline) {
      this.#timeline = proof.timeline;
      return link;
    }
    link.close();
    throw new GatewayError('MR_ORIGIN_NO_WRITER');
  }

  /** Connects and asks; what it throws has left nothing open. */
  async #look(
    origin: OriginConfig,
    login: LinkLogin | null,
    parameters: Readonly<Record<string, string>>,
    onDoubt: (reason: string) => void,
  ): Promise<{ link: PostgresLink; proof: Proof }> {
    const { clock, log } = this.#options;
    const endMs = clock.nowMs() + LOOK_TIMEOUT_MS;
    const as = login ?? { role: origin.user, password: origin.password };
    const options = { connectTimeoutMs: LOOK_TIMEOUT_MS, log, parameters, onDoubt };
    const link = await openLink(origin, as, options);
    try {
      return { link, proof: await proveWrites(link, endMs - clock.nowMs()) };
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** @throws GatewayError the error, unless looking for the primary again may help */
  #checkWorthAnother(error: GatewayError, endMs: number): void {
    const isOver = this.#options.clock.nowMs() >= endMs || this.#closed.signal.aborted;
    if (isOver || isFinal(error)) throw error;
  }

  #doubt(primary: Primary, reason: string): void {
    if (this.#primary !== primary) return;
    const { host, port } = primary.origin;
    this.#options.log.info({ host, port, reason }, 'it is asked again which server takes writes');
    this.#primary = null;
  }

  async #await(endMs: number): Promise<Primary> {
    for (;;) {
      if (this.#closed.signal.aborted) throw new GatewayError('MR_SHUTTING_DOWN');
      this.#search ??= this.#startSearch();
      const search = this.#search;
      const found = await search.found;
      if (found !== null) return found;
      const error = search.error ?? new GatewayError('MR_ORIGIN_NO_WRITER');
      if (this.#options.clock.nowMs() >= endMs || isFinal(error)) throw error;
      await this.#pause();
    }
  }

  #startSearch(): Search {
    const search: Search = {
      found: Promise.resolve(null),
      error: null,
      silent: new Set(this.#options.origins),
      candidates: [],
      over: new AbortController(),
    };
    search.found = this.#askAll(search).finally(() => {
      this.#search = null;
    });
    return search;
  }

  /** Asks every server at once, again and again for as long as one look may take. */
  async #askAll(search: Search): Promise<Primary | null> {
    const { over, candidates } = search;
    const timer = setTimeout(() => over.abort(), LOOK_TIMEOUT_MS);
    const ended = new Promise((resolve) => over.signal.addEventListener('abort', resolve));
    const looks = this.#options.origins.map((origin) => this.#askOne(origin, search));
    await Promise.race([ended, Promise.all(looks)]);
    over.abort();
    clearTimeout(timer);
    const newest = candidates.toSorted((one, other) => other.timeline - one.timeline)[0];
    return newest === undefined ? null : this.#become(newest);
  }

  async #askOne(origin: OriginConfig, search: Search): Promise<void> {
    const { signal } = search.over;
    while (!signal.aborted && !this.#closed.signal.aborted) {
      const isSettled = await this.#askOnce(origin, search);
      search.silent.delete(origin);
      if (search.candidates.length > 0 && search.silent.size === 0) search.over.abort();
      if (isSettled) return;
      await sleep(LOOK_PAUSE_MS, undefined, { signal, ref: false }).catch(() => {});
    }
  }

  /** @returns whether asking again is of no use */
  async #askOnce(origin: OriginConfig, search: Search): Promise<boolean> {
    const { host, port } = origin;
    try {
      const { link, proof } = await this.#look(origin, null, {}, () => {});
      link.close();
      const { takesWrites, timeline } = proof;
      if (takesWrites && timeline >= this.#timeline) {
        search.candidates.push({ origin, timeline });
        setTimeout(() => search.over.abort(), GRACE_MS).unref();
        return true;
      }
      if (takesWrites) {
        const text = 'a server takes writes though a newer one has replaced it';
        this.#options.log.warn({ host, port, timeline, newest: this.#timeline }, text);
      }
      search.error = new GatewayError('MR_ORIGIN_NO_WRITER');
      return false;
    } catch (caught) {
      const error = GatewayError.from(caught);
      // That servers answer tells more than that others do not.
      if (search.error?.code !== 'MR_ORIGIN_NO_WRITER') search.error = error;
      return isFinal(error);
    }
  }

  #become(primary: Primary): Primary {
    const { host, port } = primary.origin;
    const isOther =
      this.#last?.origin !== primary.origin || this.#last.timeline !== primary.timeline;
    if (isOther) this.#serial++;
    this.#timeline = primary.timeline;
    this.#last = primary;
    this.#primary = primary;
    this.#options.log.info({ host, port, serial: this.#serial }, 'this server takes writes');
    return primary;
  }

  async #pause(): Promise<void> {
    const { signal } = this.#closed;
    await sleep(LOOK_PAUSE_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** What no failover mends: the servers have the same roles and settings. */
const isFinal = ({ code }: GatewayError): boolean =>
  code === 'MR_ORIGIN_AUTH' || code === 'MR_ORIGIN_BUSY' || code === 'MR_INTERNAL';
