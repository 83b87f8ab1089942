/** Notices changes of the store: by LISTEN at once, by looking now and then when that fails. */
import type pg from 'pg';
import type { Log } from '../base/log.ts';
import { CHANGE_CHANNEL } from './migrations.ts';

/** A change that no notification told of is seen this late. */
const LOOK_MS = 5_000;
const RECONNECT_FIRST_MS = 500;
const RECONNECT_LAST_MS = 30_000;

export type WatchOptions = {
  /** A connection of its own for listening, not connected yet. */
  connect(): pg.Client;
  /** How often the store has changed. */
  revision(): Promise<string>;
  /**
   * Takes over what the store holds now; called one at a time, at first for what is there already.
   * Returns when it is due again without a change, in milliseconds since 1970, or null. When it
   * rejects it is called again at the next look.
   */
  onChange(): Promise<number | null>;
  readonly log: Log;
};

export class StoreWatch {
  readonly #options: WatchOptions;
  readonly #looker: NodeJS.Timeout;
  #listener: pg.Client | null = null;
  #reconnect: NodeJS.Timeout | null = null;
  #retryMs = RECONNECT_FIRST_MS;
  #known: string | null = null;
  #dueMs: number | null = null;
  #looking: Promise<void> | null = null;
  #isAskedAgain = false;
  #isAway = false;
  #isClosed = false;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#looker = setInterval(() => void this.look(), LOOK_MS);
    this.#looker.unref();
    void this.#listen();
  }

  /** Takes over changes now; settles when those made before this call are. Never throws. */
  look(): Promise<void> {
    if (this.#looking === null) {
      this.#looking = this.#loop();
    } else this.#isAskedAgain = true;
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looker);
    if (this.#reconnect !== null) clearTimeout(this.#reconnect);
    const listener = this.#listener;
    this.#listener = null;
    await listener?.end().catch(() => {});
    await this.#looking;
  }

  async #loop(): Promise<void> {
    do {
      this.#isAskedAgain = false;
      await this.#lookOnce();
    } while (this.#isAskedAgain && !this.#isClosed);
    this.#looking = null;
  }

  async #lookOnce(): Promise<void> {
    if (this.#isClosed) return;
    const { revision, onChange, log } = this.#options;
    try {
      const now = await revision();
      const isDue = this.#dueMs !== null && Date.now() >= this.#dueMs;
      if (this.#isAway) log.info({}, 'the store is back');
      this.#isAway = false;
      if (now === this.#known && !isDue) return;
      this.#dueMs = await onChange();
      this.#known = now;
    } catch (error) {
      if (this.#isClosed || this.#isAway) return;
      this.#isAway = true;
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ reason }, 'the store cannot be read: what is known goes on');
    }
  }

  async #listen(): Promise<void> {
    const listener = this.#options.connect();
    let isOver = false;
    const onOver = () => {
      if (isOver) return;
      isOver = true;
      if (this.#listener === listener) this.#listener = null;
      listener.end().catch(() => {});
      this.#listenLater();
    };
    listener.on('error', onOver);
    listener.on('end', onOver);
    listener.on('notification', () => void this.look());
    try {
      await listener.connect();
      if (this.#isClosed) throw new Error('closed meanwhile');
      this.#listener = listener;
      await listener.query(`LISTEN ${CHANGE_CHANNEL}`);
      this.#retryMs = RECONNECT_FIRST_MS;
      // What changed before listening began.
      await this.look();
    } catch {
      onOver();
    }
  }

  #listenLater(): void {
    if (this.#isClosed) return;
    this.#reconnect = setTimeout(() => void this.#listen(), this.#retryMs);
    this.#reconnect.unref();
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_LAST_MS);
  }
}
