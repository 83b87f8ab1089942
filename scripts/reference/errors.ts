/** Generates `docs/reference/errors.md` from the error table. */
import { type ErrorRow, errorTable } from '../../src/base/errors.ts';

const INTRO = `# Errors

Generated from the error table by \`npm run docs\`. Every error that Millrace itself raises has a
code; errors of PostgreSQL are passed on unchanged. A client sees the text as MESSAGE and the advice
as HINT; \`%s\` stands for the subject. The code is in the field that tells the routine, which psql
shows by \`\\errverbose\`. The command line ends with the exit code.
`;

function section(code: string, row: ErrorRow): string {
  const lines = [
    `## ${code}`,
    '',
    `> ${row.clientText}`,
    '',
    `| kind | severity | SQLSTATE | HTTP status | exit code | sent again, may succeed |`,
    '| --- | --- | --- | --- | --- | --- |',
    `| ${row.kind} | ${row.severity} | ${row.sqlstate} | ${row.httpStatus} | ${row.exitCode} | ${
      row.retryable ? 'yes' : 'no'
    } |`,
    '',
  ];
  return [...lines, ...(row.hint === '' ? [] : [row.hint, ''])].join('\n');
}

export function errorsReference(): string {
  const sections = Object.entries(errorTable).map(([code, row]) => section(code, row));
  return [INTRO, ...sections].join('\n');
}
