/** Facts by shape: a known statement costs one shape and one look-up, and no parser. */
import { Generations } from '../../base/generations.ts';
import { hasTimeLiteral, lastShapeDepth, shapeOf } from '../shape/shape.ts';
import { Effect, type Facts, opaqueFacts } from './facts.ts';
import { isParseable } from './parse-guard.ts';
import type { SqlParser } from './parser.ts';
import { readFacts } from './read-facts.ts';

export type FactsCacheLimits = {
  /** Shapes (and, separately, exact texts) that are kept at most. */
  readonly entriesMax: number;
  /** Bytes of keys, and of what is estimated for their facts, that are kept at most. */
  readonly bytesMax: number;
  /** Longer texts are not read at all. At most `SHAPE_TEXT_BYTES_MAX`. */
  readonly textBytesMax: number;
};

export const defaultFactsCacheLimits: FactsCacheLimits = {
  entriesMax: 10_000,
  bytesMax: 32 << 20,
  textBytesMax: 1 << 20,
};

/** A guess at the memory of one Facts beside its names. */
const FACTS_BYTES = 1024;

const unsafeFacts = opaqueFacts(
  Effect.Session | Effect.Permanent,
  'client encoding or standard_conforming_strings',
);
const tooLong = opaqueFacts(Effect.Session | Effect.Permanent, 'statement too long to be read');
const tooDeep = opaqueFacts(Effect.Session | Effect.Permanent, 'statement too complex to be read');
const strange = opaqueFacts(Effect.Session | Effect.Permanent, 'control character');
/** The server refuses it too: a literal or comment that does not end. */
const noShape = opaqueFacts(Effect.Session, 'not understood');

/** Characters that are white space to nobody; a quoted name may hold them. */
function hasControl(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 9 || (byte > 13 && byte < 32)) return true;
  }
  return false;
}

export class FactsCache {
  readonly #parser: SqlParser;
  readonly #textBytesMax: number;
  readonly #byShape: Generations<Facts>;
  readonly #byText: Generations<Facts>;
  #parseCount = 0;

  constructor(parser: SqlParser, limits: FactsCacheLimits = defaultFactsCacheLimits) {
    this.#parser = parser;
    this.#textBytesMax = limits.textBytesMax;
    this.#byShape = new Generations(limits.entriesMax, limits.bytesMax / 2, FACTS_BYTES);
    this.#byText = new Generations(limits.entriesMax, limits.bytesMax / 2, FACTS_BYTES);
  }

  /** How many texts the parser was asked to read. */
  get parseCount(): number {
    return this.#parseCount;
  }

  get entryCount(): number {
    return this.#byShape.size + this.#byText.size;
  }

  get bytes(): number {
    return this.#byShape.bytes + this.#byText.bytes;
  }

  /**
   * Facts of the text in `bytes[start, end)`, which is UTF-8 or another encoding that holds no
   * ASCII bytes inside of its characters. The same object is answered for texts of the same shape.
   *
   * @param unsafeText the server reads the text with `standard_conforming_strings=off`, or in an
   *   encoding in which a byte of a character can be a quote: nothing can be said about it
   */
  lookup(bytes: Uint8Array, start: number, end: number, unsafeText = false): Facts {
    if (unsafeText) return unsafeFacts;
    if (end - start > this.#textBytesMax) return tooLong;
    const shape = shapeOf(bytes, start, end);
    if (shape === null) return hasControl(bytes, start, end) ? strange : noShape;
    const known = this.#byShape.get(shape);
    if (known !== undefined && !known.literalDependent) return known;
    if (known === undefined) {
      if (!isParseable(lastShapeDepth)) return tooDeep;
    }
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
    return this.#read(shape, text, known);
  }

  #read(shape: string, text: Buffer, known: Facts | undefined): Facts {
    const exact = text.toString('latin1');
    const remembered = this.#byText.get(exact);
    if (remembered !== undefined) return remembered;
    this.#parseCount++;
    const facts = readFacts(this.#parser, text.toString('utf8'), hasTimeLiteral(shape));
    // What was refused may be so for a literal of its own, and others of its shape be fine.
    if (known === undefined && !facts.unparsed) this.#byShape.set(shape, facts);
    if (facts.literalDependent || facts.unparsed) this.#byText.set(exact, facts);
    return facts;
  }
}
