/** An adjudicator over a database of the test server, and clients before it. */
import type { Clock } from '../../src/base/time.ts';
import { DsqlError } from '../../src/dsql/dsql-error.ts';
import type { PostgresLink } from '../../src/dsql/server/postgres-link.ts';
import { type ReplySink, ServerError } from '../../src/dsql/server/server-link.ts';
import type { JudgedStatement, Write } from '../../src/dsql/statements/judgement.ts';
import { StatementJudge } from '../../src/dsql/statements/statement-judge.ts';
import { Adjudicator } from '../../src/dsql/transactions/adjudicator.ts';
import { encodeExecution } from '../../src/dsql/transactions/execution-messages.ts';
import type { Execution, Transaction } from '../../src/dsql/transactions/transaction.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { decodeDataRow } from '../../src/protocol/result.ts';
import { linkTo } from './dsql-below.ts';

const judge = new StatementJudge(await loadParser());

/** The one statement of a text. */
export function judged(text: string): JudgedStatement {
  const { statements, refused } = judge.judge(text);
  if (refused !== null) throw refused;
  const [statement] = statements;
  if (statement === undefined || statements.length > 1) throw new Error('one statement, please');
  return statement;
}

/** What it writes and locks; null for reads. */
export function writeOf(text: string): Write | null {
  const { action } = judged(text);
  return action.kind === 'write' ? action.write : null;
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
    const { kind } = judged(execution.text).action;
    if (kind === 'set') return (await this.transaction.set(execution.text)).tag;
    const sink = new TextRows();
    const { tag } =
      kind === 'ddl'
        ? await this.transaction.passThrough(encodeExecution(execution), sink)
        : await this.transaction.execute(execution, sink);
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
