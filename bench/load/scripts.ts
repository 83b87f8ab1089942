/** What pgbench is given to run, beside the scripts that it has built in. */
import { writeFileSync } from 'node:fs';
import type { Script } from '../cases/case.ts';
import type { Scratch } from '../system/scratch.ts';
import { ACCOUNTS } from '../ways/origin.ts';
import { PAGES, RARE_VALUES } from '../ways/tables.ts';

/** Runs of pgbench, and clients of each, get so many keys that nobody else asks for. */
const KEYS_PER_RUN = 1_000_000_000;
const KEYS_PER_CLIENT = 1_000_000;

/** A key that no client, and no run, asks for twice; `n` and `run` are set at the start. */
const freshKey = [
  '\\set n :n + 1',
  `\\set key :run * ${KEYS_PER_RUN} + :client_id * ${KEYS_PER_CLIENT} + :n`,
];

const page = `\\set id random(1, ${PAGES})`;
const account = `\\set aid random(1, ${ACCOUNTS})`;

const scripts: Readonly<Record<string, readonly string[]>> = {
  'hot-1k': [page, 'SELECT id, body FROM bench_1k WHERE id = :id;'],
  'hot-100k': [page, 'SELECT id, body FROM bench_100k WHERE id = :id;'],
  'cold-1k': [
    ...freshKey,
    page,
    'SELECT id, body, :key::bigint AS key FROM bench_1k WHERE id = :id;',
  ],
  'cold-100k': [
    ...freshKey,
    page,
    'SELECT id, body, :key::bigint AS key FROM bench_100k WHERE id = :id;',
  ],
  unique: [
    ...freshKey,
    account,
    'SELECT abalance, :key::bigint AS key FROM pgbench_accounts WHERE aid = :aid;',
  ],
  write: [account, 'UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;'],
  skewed: [
    `\\set kind random(1, ${RARE_VALUES})`,
    'SELECT max(id) FROM bench_skewed WHERE kind = :kind;',
  ],
};

/** Which of them pgbench has itself. */
const builtIn: readonly string[] = ['select-only', 'tpcb-like'];

/** Writes scripts when they are first needed. */
export class ScriptFiles {
  readonly #scratch: Scratch;
  readonly #paths = new Map<string, string>();
  #runCount = 0;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  /** The arguments that make pgbench run these, for a run of their own. */
  argsOf(wanted: readonly Script[]): readonly string[] {
    this.#runCount++;
    const chosen = wanted.flatMap(({ name, weight }) =>
      builtIn.includes(name)
        ? ['-b', `${name}@${weight}`]
        : ['-f', `${this.#pathOf(name)}@${weight}`],
    );
    const isOwn = wanted.some(({ name }) => !builtIn.includes(name));
    return isOwn ? [...chosen, '-D', `run=${this.#runCount}`, '-D', 'n=0'] : chosen;
  }

  #pathOf(name: string): string {
    let path = this.#paths.get(name);
    if (path === undefined) {
      path = this.#scratch.fresh(`${name}.sql`);
      writeFileSync(path, `${scriptText(name)}\n`);
      this.#paths.set(name, path);
    }
    return path;
  }
}

/** @throws Error when there is none of that name */
export function scriptText(name: string): string {
  const lines = scripts[name];
  if (lines === undefined) throw new Error(`there is no script ${name}`);
  return lines.join('\n');
}
