import { byteString, indexOfZero } from '../base/bytes.ts';
import { ClientCode } from '../protocol/codes.ts';
import { Effect, type Facts } from '../sql/facts/facts.ts';
import { type Consequence, Owed } from './ledger.ts';
import type { Link } from './link.ts';
import type { Session } from './session.ts';
import { bindNames } from './statements/statement-messages.ts';

/** More statements that may reset settings than this, and every other one is taken for such. */
const NAMES_MAX = 1_024;
const STATEMENT = 0x53;

/** What of a statement matters here. */
type Noted = {
  /** As `resets` of the session. */
  readonly resets: string | null;
  readonly copiesIn: boolean;
};

/**
 * Messages of a client in session mode. The link is the client's, so they pass as they are, names
 * included. Texts are read for what they write, and for RESET: that takes a setting to the default
 * of the origin's session, where the client's own default is what it asked for at startup. It is
 * given back behind the unit, and that does nothing to what was not reset, so whatever may reset
 * counts.
 */
export class SessionModeMessages {
  readonly #session: Session;
  /** Statements that matter, by name. */
  readonly #named = new Map<string, Noted>();
  #hasForgotten = false;
  /** The unit at hand has bound what may ask for COPY data. */
  #mayCopy = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Passes a simple Query on whose text lies in `[start, end)`. */
  passQuery(link: Link, chunk: Uint8Array, start: number, end: number): void {
    const { host, settings } = this.#session;
    host.noteWrites(link, host.factsOf(chunk, start, end, settings));
    const noted = this.#read(chunk, start, end);
    if (noted.resets !== null) this.#session.resets = noted.resets;
    link.ledger.push(Owed.Query, 0, noted.copiesIn ? this.#session.copyIn.begin() : null);
  }

  /** Passes a message of the extended protocol on, of which `[start, end)` is there. */
  pass(link: Link, code: number, chunk: Uint8Array, start: number, end: number): void {
    switch (code) {
      case ClientCode.Parse:
        link.ledger.push(Owed.Parse, 0, this.#onParse(chunk, start, end));
        return;
      case ClientCode.Bind:
        this.#onBind(chunk, start, end);
        // Which statement it is of, and so what it writes, is not followed in this mode.
        this.#session.host.noteWrites(link, null);
        link.ledger.push(Owed.Bind, 0, null);
        return;
      case ClientCode.Execute:
        link.ledger.push(Owed.Execute, 0, this.#mayCopy ? this.#session.copyIn.begin() : null);
        return;
      case ClientCode.Close:
        link.ledger.push(Owed.Close, 0, null);
        return;
      default: {
        const isStatement = chunk[start + 5] === STATEMENT;
        link.ledger.push(isStatement ? Owed.DescribeStatement : Owed.DescribePortal, 0, null);
      }
    }
  }

  /** A Sync is next. */
  endUnit(): void {
    this.#mayCopy = false;
  }

  #read(chunk: Uint8Array, start: number, end: number): Noted {
    const { host, settings, tenure } = this.#session;
    if (!tenure.hasStartup) return { resets: null, copiesIn: false };
    const facts: Facts = host.factsOf(chunk, start, end, settings);
    const { effects } = host.judge(facts);
    const mayReset = effects !== Effect.None ? '' : null;
    // Where it cannot be asked what is set, only what is a RESET and nothing else is put right.
    const resets = host.rules.settings === null ? mayReset : facts.resets;
    return { resets, copiesIn: facts.copiesIn || facts.unparsed };
  }

  get #unknown(): Noted {
    return { resets: this.#session.host.rules.settings === null ? '' : null, copiesIn: true };
  }

  #onParse(chunk: Uint8Array, start: number, end: number): Consequence | null {
    const nameEnd = indexOfZero(chunk, start + 5, end);
    const textEnd = nameEnd < 0 ? -1 : indexOfZero(chunk, nameEnd + 1, end);
    if (textEnd < 0 || !this.#session.tenure.hasStartup) return null;
    const name = byteString(chunk, start + 5, nameEnd);
    const noted = this.#read(chunk, nameEnd + 1, textEnd);
    if (noted.resets !== null || noted.copiesIn) {
      this.#named.set(name, noted);
      if (this.#named.size > NAMES_MAX) this.#hasForgotten = true;
      if (this.#hasForgotten) this.#named.delete(name);
      return null;
    }
    if (!this.#named.has(name)) return null;
    // Until the server has taken it, the name stands for what it stood for.
    return { commit: () => void this.#named.delete(name), rollback: () => {} };
  }

  #onBind(chunk: Uint8Array, start: number, end: number): void {
    if (this.#named.size === 0 && !this.#hasForgotten) return;
    const names = bindNames(chunk, start, end);
    if (names === null) return;
    const known = this.#named.get(byteString(chunk, names.portalEnd + 1, names.nameEnd));
    const noted = known ?? (this.#hasForgotten ? this.#unknown : null);
    if (noted === null) return;
    if (noted.resets !== null) this.#session.resets = noted.resets;
    this.#mayCopy ||= noted.copiesIn;
  }
}
