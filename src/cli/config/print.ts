/** Tables and snippets for people. */

/** Values come from others: nothing of them may steer the terminal. */
const plain = (text: string): string => text.replace(/\p{Cc}+/gu, ' ');

/** Columns as wide as they must be, two spaces apart. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows.map((row) => row.map(plain))];
  const widths = head.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return `${cells.map(line).join('\n')}\n`;
}

/** Names and values, one a line. */
export function listing(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}\n`).join('');
}

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** For `wrangler.jsonc`: `wrangler dev` then goes through this gateway. */
export function wranglerSnippet(binding: string, id: string, connectionString: string): string {
  const row = { binding, id, localConnectionString: connectionString };
  return `${JSON.stringify({ hyperdrive: [row] }, null, 2)}\n`;
}
