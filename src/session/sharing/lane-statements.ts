import { readUint32 } from '../../base/bytes.ts';
import { Owed, SWALLOW } from '../ledger.ts';
import type { Link } from '../link.ts';
import { describe } from '../statements/preparations.ts';
import { bodyAgain } from '../statements/result-type.ts';
import { HeldParse } from '../statements/statement-changes.ts';
import { sendBind, sendParse } from '../statements/statement-messages.ts';
import type { LinkStatement, Statement } from '../statements/statements.ts';
import type { PreparedRead, SharedUnit } from './shared-unit.ts';

/** Of a unit that no client's names belong to. */
const NO_UNIT = -1;

/**
 * A text that clients parse again and again is parsed on the link after so long: nobody tells of a
 * table or a function that was made past the gateway and now is what a name in the text means.
 */
const STATEMENT_LIFE_MS = 5_000;

/** What the statements of a lane need of whoever has opened it. */
export type LaneStatementsHost = {
  /** Above this many prepared statements on one link, the least recently used are closed. */
  readonly linkStatementsMax: number;
  nowMs(): number;
  /** A statement returns something else than when its text was first prepared. */
  onResultTypeChanged(): void;
};

/** Units of the extended protocol, sent with the link's own statements in place of the clients'. */
export class LaneStatements {
  readonly #link: Link;
  readonly #host: LaneStatementsHost;

  constructor(link: Link, host: LaneStatementsHost) {
    this.#link = link;
    this.#host = host;
  }

  /** Sends a unit that runs the statement. */
  send(unit: SharedUnit, { parts, statement, told }: PreparedRead): void {
    const link = this.#link;
    const held = this.#usable(unit, statement, told) ?? this.#prepare(statement, told);
    unit.held = held;
    if (unit.isParsed) held.unnamedRuns++;
    const { chunk } = unit;
    const { bindAt, nameStart, nameEnd } = parts;
    const { ledger } = link;
    ledger.push(Owed.Bind, 0, null);
    if (parts.hasDescribe) ledger.push(Owed.DescribePortal, 0, null);
    ledger.push(Owed.Execute, 0, null);
    ledger.push(Owed.Sync, 0, null);
    sendBind(
      link.port,
      held.name,
      chunk,
      bindAt,
      chunk.length,
      sizeOf(chunk, bindAt),
      nameStart - 1,
      nameEnd,
    );
  }

  /** The link's statement, unless it is too old, or is known not to be what the client was told. */
  #usable(unit: SharedUnit, statement: Statement, told: string | null): LinkStatement | null {
    const held = this.#link.statements.use(statement);
    if (held === undefined) return null;
    if (unit.isParsed) {
      const isYoung = this.#host.nowMs() - held.sharedSinceMs < STATEMENT_LIFE_MS;
      return isYoung && held.unnamedRuns < this.#link.rules.unnamedRunsMax ? held : null;
    }
    return held.isDescribing || told === null || told === held.described ? held : null;
  }

  /** Prepares the statement; what it returns is known before the first answer that needs it. */
  #prepare(statement: Statement, told: string | null): LinkStatement {
    const link = this.#link;
    const held = link.statements.add(statement, NO_UNIT);
    held.sharedSinceMs = this.#host.nowMs();
    // Between units no portal is open.
    link.closeExcess(this.#host.linkStatementsMax);
    link.ledger.push(Owed.Parse, SWALLOW, new HeldParse(held, link));
    sendParse(link.port, held.name, bodyAgain(statement.body, told));
    describe(held, link, (described) => {
      if (described !== statement.described) this.#host.onResultTypeChanged();
    });
    return held;
  }
}

/** Of the message at `at`, header included. */
function sizeOf(chunk: Uint8Array, at: number): number {
  return readUint32(chunk, at + 1) + 1;
}
