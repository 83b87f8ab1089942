import { ServerCode } from '../../protocol/codes.ts';
import { type FrameHandler, Framer, Take } from '../../protocol/framer.ts';
import { Description } from '../statements/result-type.ts';
import type { Statement } from '../statements/statements.ts';

/** More is not kept: a description that is longer is asked for each time. */
const DESCRIPTION_BYTES_MAX = 16_384;

/** What PostgreSQL has said of a statement to whoever asked. */
export type Told = {
  /** ParameterDescription, and RowDescription or NoData: whole messages, never written to again. */
  readonly bytes: Uint8Array;
  /** The same as in {@link Statement.described}. */
  readonly described: string;
};

/** Of statements as long as they mean the same; a change of the catalogue makes others of them. */
const known = new WeakMap<Statement, Told>();

/** What the statement takes and returns; null when nobody was told, or was told something else. */
export function toldOf(statement: Statement): Told | null {
  const told = known.get(statement);
  if (told === undefined) return null;
  return statement.described === null || statement.described === told.described ? told : null;
}

/**
 * Sees what the server answers to Parse and Describe of a statement, as it goes to the client. Some
 * drivers ask that first, and run the statement when they know its types.
 */
export class DescriptionTap implements FrameHandler {
  readonly #statement: Statement;
  readonly #framer = new Framer(this);
  readonly #description: Description;
  readonly #messages: Uint8Array[] = [];
  #described: string | null = null;
  #isOver = false;

  constructor(statement: Statement) {
    this.#statement = statement;
    this.#description = new Description((described) => {
      this.#described = described;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The next bytes for the client. */
  feed(chunk: Uint8Array, start: number, end: number): void {
    if (!this.#isOver) this.#framer.feed(chunk, start, end);
  }

  onHeader(code: number, size: number): Take {
    switch (code) {
      case ServerCode.ParseComplete:
        return Take.Swallow;
      case ServerCode.ParameterDescription:
      case ServerCode.RowDescription:
      case ServerCode.NoData:
        if (size <= DESCRIPTION_BYTES_MAX) return Take.Hold;
        return this.#end();
      default:
        return this.#end();
    }
  }

  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    this.#messages.push(Uint8Array.prototype.slice.call(chunk, start, end));
    if (code === ServerCode.NoData) this.#description.onNoData();
    else if (!this.#description.onMessage(chunk, start, end)) return this.#end();
    if (code === ServerCode.ParameterDescription) return Take.Swallow;
    if (this.#described !== null && this.#messages.length === 2) {
      known.set(this.#statement, {
        bytes: Buffer.concat(this.#messages),
        described: this.#described,
      });
    }
    return this.#end();
  }

  onPrefix(): Take {
    throw new Error('a description has no prefixes');
  }

  onRun(): void {}

  #end(): Take {
    this.#isOver = true;
    return Take.Stop;
  }
}
