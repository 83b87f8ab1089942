import { utf8ByteString } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Link } from '../../session/link.ts';
import { OwnQuery } from '../../session/own-query.ts';
import { Settings, settingsChange, settingsChangeText } from '../../session/settings.ts';
import { LinkBorrower } from './link-borrower.ts';
import type { Links } from './links.ts';

/** Runs a query and gives its rows, columns as text. Rejects when the server refuses it. */
export type RunQuery = (sql: string) => Promise<(string | null)[][]>;

/** As a field of an ErrorResponse. */
const SERIALIZATION_FAILURE = '\0C40001\0';

/** A catalogue is not read with more rows than this. */
const ROWS_MAX = 500_000;

/** Queries of the gateway's own on a link that it borrows from the pool like any client. */
export class LinkQueries extends LinkBorrower {
  readonly #link: Link;
  #settle: { resolve(): void; reject(error: GatewayError): void } | null = null;

  private constructor(link: Link) {
    super();
    this.#link = link;
    link.owner = this;
  }

  /**
   * Borrows a link for as long as `work` takes, with the settings of a fresh one unless others are
   * given.
   * @throws GatewayError when there is no link to be had, or it breaks
   */
  static async with<T>(
    links: Links,
    work: (run: RunQuery) => Promise<T>,
    settings = Settings.NONE,
  ): Promise<T> {
    const link = await new Promise<Link>((resolve, reject) => {
      const taken = links.checkOut({ onLink: resolve, onRefused: reject });
      if (taken !== null) resolve(taken);
    });
    const queries = new LinkQueries(link);
    let isClean = false;
    try {
      const change = settingsChange(link.settings, settings);
      if (change !== null) await queries.#run(settingsChangeText(change, link.rules));
      link.settings = settings;
      const result = await work((sql) => queries.#run(utf8ByteString(sql)));
      isClean = link.isIdle;
      return result;
    } finally {
      if (link.owner === queries) {
        link.owner = null;
        if (isClean) links.checkIn(link, false);
        else links.discard(link, 'a query of the gateway failed');
      }
    }
  }

  async #run(text: string, mayRetry = true): Promise<(string | null)[][]> {
    if (this.#link.owner !== this) throw new GatewayError('MR_ORIGIN_LOST');
    const query = new OwnQuery(text, ROWS_MAX);
    await new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#link.sendOwn(query);
      this.#link.port.flush();
    });
    // Somebody has changed the schema, as Aurora DSQL says: it was read, so it is read again.
    if (mayRetry && this.#link.isIdle && query.error?.includes(SERIALIZATION_FAILURE) === true) {
      return this.#run(text, false);
    }
    if (query.error !== null) {
      throw new GatewayError('MR_INTERNAL', { cause: new Error('a query of the gateway failed') });
    }
    return query.rows.map((row) =>
      row.map((column) => (column === null ? null : Buffer.from(column, 'latin1').toString())),
    );
  }

  onQuiet(): void {
    this.#settle?.resolve();
    this.#settle = null;
  }

  onLinkLost(error: GatewayError): void {
    this.#settle?.reject(error);
    this.#settle = null;
  }
}
