/**
 * Writes the list of PostgreSQL's own pure functions and operators from the catalogues of running
 * servers, one URL for each version: `node scripts/pure-builtins.mjs postgres://… postgres://…`.
 * What is not pure in one of them is not in the list. The rules are in `pure-builtins.sql`.
 */
import { readFile, writeFile } from 'node:fs/promises';
import pg from 'pg';

const TARGET = new URL('../src/sql/facts/pure-builtins.generated.ts', import.meta.url);
const RULES = new URL('pure-builtins.sql', import.meta.url);
const WIDTH = 96;

async function judge(connectionString, sql) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    return rows;
  } finally {
    await client.end();
  }
}

/** @param {string[]} names */
function lines(names) {
  const out = [];
  let line = ' ';
  for (const name of names) {
    if (line.length + name.length + 1 > WIDTH) {
      out.push(line);
      line = ' ';
    }
    line += ` ${name}`;
  }
  return [...out, line].join('\n');
}

const urls = process.argv.slice(2);
if (urls.length === 0) {
  process.stderr.write('usage: node scripts/pure-builtins.mjs URL…\n');
  process.exit(2);
}
const sql = await readFile(RULES, 'utf8');
const pure = { function: new Map(), operator: new Map(), cast: new Map() };
for (const url of urls) {
  for (const { kind, name, is_pure: isPure } of await judge(url, sql)) {
    pure[kind].set(name, isPure && pure[kind].get(name) !== false);
  }
}
const listed = (kind) => [...pure[kind]].flatMap(([name, isPure]) => (isPure ? [name] : [])).sort();
const list = (kind) => `listOf(\`\n${lines(listed(kind)).replaceAll('`', '\\`')}\n\`)`;
await writeFile(
  TARGET,
  `/** Written by \`scripts/pure-builtins.mjs\`; its rules are in \`scripts/pure-builtins.sql\`. */

const listOf = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\\s+/));

/** PostgreSQL's own functions that are pure, whatever they are called with. */
export const pureFunctions: ReadonlySet<string> = ${list('function')};

/** Operators likewise. */
export const pureOperators: ReadonlySet<string> = ${list('operator')};
`,
);
process.stdout.write(
  `${listed('function').length} functions, ${listed('operator').length} operators\n`,
);
