/** What PostgreSQL's parser says of a text, or the error that PostgreSQL would answer. */
import { asList, asObject, type SqlParser } from '../../sql/facts/parser.ts';
import { DsqlError } from '../dsql-error.ts';
import { type Node, unwrap } from './tree.ts';

/** A statement and where it begins and ends in the text, in bytes. */
export type ParsedStatement = Node & { readonly start: number; readonly end: number };

/** What the grammar refuses with another code than 42601; parts of PostgreSQL's own messages. */
const codes: readonly (readonly [string, string])[] = [
  ['not yet implemented', '0A000'],
  ['not supported', '0A000'],
  ['cannot be marked', '0A000'],
  ['there is no parameter', '42P02'],
  ['invalid byte sequence', '22021'],
];

/**
 * Nothing that it cannot read goes to a server: an older PostgreSQL takes some texts that newer
 * ones do not (`system_user` as a name), and what is not judged may not run.
 *
 * @throws DsqlError 42601, in the parser's words; 54001 when it cannot go on
 */
export function parseText(parser: SqlParser, text: string): ParsedStatement[] {
  const statements: ParsedStatement[] = [];
  for (const item of asList(parse(parser, text)['stmts'])) {
    const statement = asObject(item);
    const found = unwrap(statement?.['stmt']);
    if (statement === null || found === null) throw new DsqlError('42601', 'syntax error');
    const start = Number(statement['stmt_location'] ?? 0);
    const size = Number(statement['stmt_len'] ?? 0);
    const end = size > 0 ? start + size : Buffer.byteLength(text);
    statements.push({ ...found, start, end });
  }
  return statements;
}

function parse(parser: SqlParser, text: string): ReturnType<SqlParser['parse']> {
  try {
    return parser.parse(text);
  } catch (error) {
    const isRefused = error instanceof Error && error.name === 'SqlError';
    if (!isRefused) throw new DsqlError('54001', 'statement too complex');
    const code = codes.find(([part]) => error.message.includes(part))?.[1];
    throw new DsqlError(code ?? '42601', error.message);
  }
}
