/** The bodies of a client's messages. Source: PostgreSQL manual, "Message Formats". */
import { indexOfZero, readUint16, readUint32 } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';

const malformed = (what: string): GatewayError =>
  new GatewayError('MR_PROTOCOL_VIOLATION', { subject: `malformed ${what} message` });

export type ParseMessage = {
  readonly name: string;
  readonly text: string;
  /** OIDs; 0 for a type that the server is to find. */
  readonly parameterTypes: readonly number[];
};

export type BindMessage = {
  readonly portal: string;
  readonly statement: string;
  /** What stands behind the two names. */
  readonly content: Buffer;
  /** Codes of the results' formats: none for text, one for all, or one for each column. */
  readonly resultFormats: readonly number[];
};

export type NameMessage = { readonly kind: 'statement' | 'portal'; readonly name: string };

export type ExecuteMessage = {
  readonly portal: string;
  /** 0 for all. */
  readonly rowsMax: number;
};

/** Walks a body; every step past its end is a violation. */
class Body {
  readonly #bytes: Buffer;
  readonly #what: string;
  at = 0;

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  text(): string {
    const zero = indexOfZero(this.#bytes, this.at, this.#bytes.length);
    if (zero < 0) throw malformed(this.#what);
    const slice = this.#bytes.subarray(this.at, zero);
    this.at = zero + 1;
    try {
      // Fatal: another text than the client's must never run.
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(slice);
    } catch {
      throw malformed(this.#what);
    }
  }

  byte(): number {
    this.#need(1);
    return this.#bytes[this.at++] as number;
  }

  int16(): number {
    this.#need(2);
    this.at += 2;
    return readUint16(this.#bytes, this.at - 2);
  }

  int32(): number {
    this.#need(4);
    this.at += 4;
    return readUint32(this.#bytes, this.at - 4);
  }

  skip(count: number): void {
    this.#need(count);
    this.at += count;
  }

  end(): void {
    if (this.at !== this.#bytes.length) throw malformed(this.#what);
  }

  #need(count: number): void {
    if (this.at + count > this.#bytes.length) throw malformed(this.#what);
  }
}

/** The text of a Query. */
export function decodeQuery(bytes: Buffer): string {
  const body = new Body(bytes, 'Query');
  const text = body.text();
  body.end();
  return text;
}

export function decodeParse(bytes: Buffer): ParseMessage {
  const body = new Body(bytes, 'Parse');
  const name = body.text();
  const text = body.text();
  const parameterTypes: number[] = [];
  for (let count = body.int16(); count > 0; count--) parameterTypes.push(body.int32());
  body.end();
  return { name, text, parameterTypes };
}

export function decodeBind(bytes: Buffer): BindMessage {
  const body = new Body(bytes, 'Bind');
  const portal = body.text();
  const statement = body.text();
  const content = bytes.subarray(body.at);
  for (let count = body.int16(); count > 0; count--) body.int16();
  for (let count = body.int16(); count > 0; count--) {
    const size = body.int32() | 0;
    if (size > 0) body.skip(size);
  }
  const resultFormats: number[] = [];
  for (let count = body.int16(); count > 0; count--) resultFormats.push(body.int16());
  body.end();
  return { portal, statement, content, resultFormats };
}

const STATEMENT = 0x53;
const PORTAL = 0x50;

/** A Describe or a Close. */
export function decodeName(bytes: Buffer, what: 'Describe' | 'Close'): NameMessage {
  const body = new Body(bytes, what);
  const code = body.byte();
  const name = body.text();
  body.end();
  if (code !== STATEMENT && code !== PORTAL) throw malformed(what);
  return { kind: code === STATEMENT ? 'statement' : 'portal', name };
}

export function decodeExecute(bytes: Buffer): ExecuteMessage {
  const body = new Body(bytes, 'Execute');
  const portal = body.text();
  const rowsMax = body.int32() | 0;
  body.end();
  return { portal, rowsMax: Math.max(0, rowsMax) };
}
