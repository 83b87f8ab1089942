import type { GatewayError } from '../../base/errors.ts';
import { TransactionStatus } from '../../protocol/codes.ts';
import type { Link } from '../../session/link.ts';
import { OwnQuery } from '../../session/own-query.ts';
import { isTrackedParameter, Settings } from '../../session/settings.ts';
import { LinkBorrower } from './link-borrower.ts';

const IDLE_TIMEOUT = 'idle_session_timeout';

/** Whether the server would end the link while it lies in the pool, as its last client has said. */
export function canExpire(link: Link): boolean {
  return link.settings.get(IDLE_TIMEOUT) !== undefined;
}

/**
 * Makes a link that its client has left fit for the next one: lets what still runs come to its end,
 * as PostgreSQL does when a client goes away, then ends the transaction, and where the client may
 * have left state behind, resets the session as a whole.
 */
export class LinkCleaner extends LinkBorrower {
  readonly #link: Link;
  #isDirty: boolean;
  readonly #onDone: (isClean: boolean) => void;
  #queries: OwnQuery[] | null = null;

  /** @param isDirty whether more than the transaction is to be undone */
  constructor(link: Link, isDirty: boolean, onDone: (isClean: boolean) => void) {
    super();
    this.#link = link;
    this.#isDirty = isDirty;
    this.#onDone = onDone;
    link.owner = this;
    if (link.ledger.size === 0) this.#clean();
  }

  /** What still runs may end a transaction, and so what was set for its time. */
  override onParameter(name: string, value: string): boolean {
    const link = this.#link;
    if (!isTrackedParameter(name)) return false;
    const key = name.toLowerCase();
    link.settings = link.settings.with(key, link.baseline.get(key) === value ? null : value);
    return false;
  }

  onQuiet(): void {
    if (this.#queries === null) {
      this.#clean();
      return;
    }
    this.#link.owner = null;
    const isClean = this.#link.isIdle && this.#queries.every((query) => query.error === null);
    this.#onDone(isClean);
  }

  #clean(): void {
    const link = this.#link;
    this.#queries = [];
    if (link.status !== TransactionStatus.Idle) {
      this.#queries.push(new OwnQuery('ROLLBACK'));
      // It takes back settings as well, and nobody has noted what they were before.
      this.#isDirty = true;
    }
    // Alone in its Query: it must not run inside a transaction, not even an implicit one.
    if (this.#isDirty) for (const text of link.rules.resets) this.#queries.push(new OwnQuery(text));
    else if (canExpire(link)) {
      this.#queries.push(new OwnQuery(`RESET ${IDLE_TIMEOUT}`));
      link.settings = link.settings.with(IDLE_TIMEOUT, null);
    }
    if (this.#queries.length === 0) {
      link.owner = null;
      this.#onDone(true);
      return;
    }
    for (const query of this.#queries) link.sendOwn(query);
    if (this.#isDirty) {
      link.settings = Settings.NONE;
      link.statements.clear();
    }
    link.port.flush();
  }

  onLinkLost(_error: GatewayError): void {}
}
