/** How Aurora DSQL calls statements that it does not have. */
import { type DsqlError, unsupported } from '../dsql-error.ts';

/** By the name of the parser's node, `TruncateStmt`: it says `unsupported statement: Truncate`. */
export function unsupportedStatement(kind: string): DsqlError {
  if (kind === 'MergeStmt') return unsupported('unsupported statement type: MERGE');
  return unsupported(`unsupported statement: ${kind.replace(/Stmt$/, '')}`);
}
