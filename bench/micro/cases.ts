/** What is timed alone: framing, shapes with their facts, and the ledger. */
import { loadParser } from '../../src/origin/parser.ts';
import { ServerCode } from '../../src/protocol/codes.ts';
import { Framer, Take } from '../../src/protocol/framer.ts';
import { Ledger, Owed } from '../../src/session/ledger.ts';
import { FactsCache } from '../../src/sql/facts/facts-cache.ts';
import { shapeOf } from '../../src/sql/shape/shape.ts';
import type { MicroCase } from './harness.ts';

/** Texts of one shape whose literals differ, since a gateway rarely sees a text twice. */
const VARIANTS = 64;

/** A statement as an application writes it, of 200 bytes. */
const longText = (n: number): string =>
  'SELECT o.id, o.total, c.name, c.email FROM orders AS o JOIN customers AS c ON c.id = ' +
  `o.customer_id WHERE o.status = 'open ${n}' AND o.total > ${n}.50 AND c.region IN (1, 2, ${n}) ` +
  'ORDER BY o.created_at';

const shortText = (n: number): string => `SELECT abalance FROM pgbench_accounts WHERE aid = ${n};`;

function texts(make: (n: number) => string, size: number | null): Buffer[] {
  return Array.from({ length: VARIANTS }, (_, n) => {
    const text = make(1000 + n);
    return Buffer.from(size === null ? text : text.padEnd(size).slice(0, size));
  });
}

function shapeCases(facts: FactsCache): MicroCase[] {
  const long = texts(longText, 200);
  const short = texts(shortText, null);
  const shapes = (of: readonly Buffer[]) => () => {
    let length = 0;
    for (const text of of) length += shapeOf(text, 0, text.length)?.length ?? 0;
    return length;
  };
  const lookups = (of: readonly Buffer[]) => () => {
    let statements = 0;
    for (const text of of) statements += facts.lookup(text, 0, text.length).statements;
    return statements;
  };
  const title = (size: number, what: string): string => `${what} of a statement of ${size} bytes`;
  const shortSize = short[0]?.length ?? 0;
  const perRun = VARIANTS;
  return [
    { name: 'shape-200', title: title(200, 'shape'), perRun, run: shapes(long) },
    { name: 'facts-200', title: title(200, 'shape and facts'), perRun, run: lookups(long) },
    { name: 'shape-short', title: title(shortSize, 'shape'), perRun, run: shapes(short) },
    {
      name: 'facts-short',
      title: title(shortSize, 'shape and facts'),
      perRun,
      run: lookups(short),
    },
  ];
}

const ROWS = 100;

/** `ROWS` messages of a type with a body of `size` bytes. */
function messages(code: number, size: number): Buffer {
  const one = Buffer.alloc(5 + size);
  one[0] = code;
  one.writeUInt32BE(4 + size, 1);
  return Buffer.concat(Array.from({ length: ROWS }, () => one));
}

function framingCase(): MicroCase {
  let bytes = 0;
  const framer = new Framer({
    onHeader: () => Take.Forward,
    onWhole: () => Take.Forward,
    onPrefix: () => Take.Forward,
    onRun: (_chunk, start, end) => {
      bytes += end - start;
    },
  });
  const chunk = messages(ServerCode.DataRow, 40);
  const run = (): number => {
    bytes = 0;
    framer.feed(chunk, 0, chunk.length);
    return bytes;
  };
  return { name: 'framing', title: 'framing of a forwarded message', perRun: ROWS, run };
}

/** What one execution of a prepared statement owes, with the answers that come. */
const UNIT: readonly (readonly [Owed, readonly number[]])[] = [
  [Owed.Bind, [ServerCode.BindComplete]],
  [Owed.DescribePortal, [ServerCode.RowDescription]],
  [Owed.Execute, [ServerCode.DataRow, ServerCode.CommandComplete]],
  [Owed.Sync, [ServerCode.ReadyForQuery]],
];

function ledgerCase(): MicroCase {
  const ledger = new Ledger();
  const run = (): number => {
    let sum = 0;
    for (let n = 0; n < VARIANTS; n++) {
      for (const [owed] of UNIT) ledger.push(owed, 0, null);
      for (const [, replies] of UNIT) for (const code of replies) sum += ledger.onReply(code);
    }
    return sum;
  };
  return { name: 'ledger', title: 'ledger of a unit of 4 messages', perRun: VARIANTS, run };
}

export async function microCases(): Promise<readonly MicroCase[]> {
  return [...shapeCases(new FactsCache(await loadParser())), framingCase(), ledgerCase()];
}
