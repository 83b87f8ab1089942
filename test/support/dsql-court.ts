/** An adjudicator over a database of the test server, and clients before it. */
import type { Clock } from '../../src/base/time.ts';
import { DsqlError } from '../../src/dsql/dsql-error.ts';
import type { PostgresLink } from '../../src/dsql/server/postgres-link.ts';
import { type ReplySink, ServerError } from '../../src/dsql/server/server-link.ts';
import type { RelationName, RowLock, Write } from '../../src/dsql/statements/judgement.ts';
import { Adjudicator } from '../../src/dsql/transactions/adjudicator.ts';
import type { Execution, Transaction } from '../../src/dsql/transactions/transaction.ts';
import { decodeDataRow } from '../../src/protocol/result.ts';
import { linkTo } from './dsql-below.ts';

const plainName = (name: string): RelationName => {
  const [last = '', schema = null] = name.split('.').reverse();
  const bare = (part: string): string => part.replaceAll('"', '');
  return { schema: schema === null ? null : bare(schema), name: bare(last) };
};

const TARGET = /\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+((?:[a-z_]\w*|"[^"]+")(?:\.\w+)?)/gi;
const LOCK = /\bFROM\s+([\w".]+)[^;]*\b(FOR\s+UPDATE|FOR\s+KEY\s+SHARE)\s*$/i;

/** What the judge says of the plain statements of these tests; null for reads. */
export function writeOf(text: string): Write | null {
  const lock = LOCK.exec(text);
  const named = [...text.replace(/\bDO\s+UPDATE\s+SET\b/gi, '').matchAll(TARGET)];
  const targets = lock === null ? named.map((match) => plainName(match[1] ?? '')) : [];
  if (lock === null && targets.length === 0) return null;
  const [into] = targets;
  const isPlain = /^\s*INSERT\b/i.test(text) && !/\bON\s+CONFLICT\b/i.test(text);
  const locks: RowLock[] = [];
  if (lock !== null) {
    const strength = /UPDATE/i.test(lock[2] ?? '') ? 'FOR UPDATE' : 'FOR KEY SHARE';
    locks.push({ strength, relations: [plainName(lock[1] ?? '')] });
  }
  return {
    relations: targets,
    targets,
    insert:
      isPlain && into !== undefined ? { into, hasReturning: /\bRETURNING\b/i.test(text) } : null,
    locks,
  };
}

/** Keeps the rows of an answer as text. */
export class TextRows implements ReplySink {
  readonly rows: (string | null)[][] = [];
  readonly codes: string[] = [];

  take(messages: Buffer): void {
    for (let at = 0; at < messages.length; ) {
      const end = at + 1 + messages.readUInt32BE(at + 1);
      const code = String.fromCharCode(messages[at] ?? 0);
      this.codes.push(code);
      if (code === 'D') this.rows.push(decodeDataRow(messages, at + 5, end));
      at = end;
    }
  }
}

export const simple = (text: string, write: Write | null = writeOf(text)): Execution => ({
  text,
  parameterTypes: [],
  bind: null,
  write,
});

/** Parameters as text, results as asked for. */
export function bound(
  text: string,
  values: readonly (string | Buffer | null)[],
  { isBinary = false, resultFormats = [] as readonly number[] } = {},
): Execution {
  const parts: Buffer[] = [];
  const int16 = (value: number): void => {
    const part = Buffer.alloc(2);
    part.writeInt16BE(value);
    parts.push(part);
  };
  int16(1);
  int16(isBinary ? 1 : 0);
  int16(values.length);
  for (const value of values) {
    const bytes = value === null ? null : Buffer.from(value as string);
    const size = Buffer.alloc(4);
    size.writeInt32BE(bytes?.length ?? -1);
    parts.push(size, ...(bytes === null ? [] : [bytes]));
  }
  int16(resultFormats.length);
  for (const format of resultFormats) int16(format);
  return { text, parameterTypes: [], bind: Buffer.concat(parts), write: writeOf(text) };
}

/** The tag and rows, or the SQLSTATE, in one line. */
export async function told(answer: Promise<string>): Promise<string> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ServerError) return error.fields.sqlstate;
    if (error instanceof DsqlError) return error.sqlstate;
    throw error;
  }
}

export class CourtClient {
  readonly link: PostgresLink;
  readonly transaction: Transaction;
  isOver = false;

  constructor(link: PostgresLink, transaction: Transaction) {
    this.link = link;
    this.transaction = transaction;
  }

  async run(statement: string | Execution): Promise<string> {
    const execution = typeof statement === 'string' ? simple(statement) : statement;
    const sink = new TextRows();
    const { tag } = await this.transaction.execute(execution, sink);
    return sink.rows.length === 0 ? tag : `${tag} ${JSON.stringify(sink.rows)}`;
  }

  async commit(): Promise<string> {
    this.isOver = true;
    return await this.transaction.commit();
  }

  async rollback(): Promise<string> {
    this.isOver = true;
    await this.transaction.rollback();
    return 'ROLLBACK';
  }
}

export type CourtOptions = { readonly clock?: Clock; readonly role?: string };

/** An adjudicator, and links that are closed with it. */
export class TestCourt {
  readonly adjudicator: Adjudicator;
  readonly #url: string;
  readonly #links: PostgresLink[] = [];
  /** Links between transactions. */
  readonly #free: PostgresLink[] = [];
  #control: PostgresLink | null = null;

  constructor(url: string, clock: Clock = { nowMs: () => performance.now() }) {
    this.#url = url;
    this.adjudicator = new Adjudicator({
      clock,
      control: async () => {
        this.#control = await this.open();
        return this.#control;
      },
      guard: () => this.open(),
    });
  }

  /** The link that sees who waits, once there is one. */
  get control(): PostgresLink | null {
    return this.#control;
  }

  async open(url: string = this.#url): Promise<PostgresLink> {
    const link = await linkTo(url);
    this.#links.push(link);
    return link;
  }

  async begin({ isReadOnly = false, url = this.#url } = {}): Promise<CourtClient> {
    const link = (url === this.#url ? this.#free.pop() : undefined) ?? (await this.open(url));
    return new CourtClient(link, await this.adjudicator.begin(link, { isReadOnly }));
  }

  /** The client is done, and others may have its link. */
  reuse({ link }: CourtClient): void {
    if (link.isOpen && link.status === 'I') this.#free.push(link);
    else link.close();
  }

  close(): void {
    this.adjudicator.close();
    for (const link of this.#links) link.close();
  }
}
