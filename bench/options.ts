/** What the benchmark was asked for on its command line. */
import { parseArgs } from 'node:util';
import { type BenchCase, groupOf } from './cases/case.ts';
import { benchCases, benchGroups } from './cases/cases.ts';
import { estimateSeconds } from './cases/estimate.ts';

export type BenchOptions = {
  readonly isQuick: boolean;
  /** Times pieces of the gateway alone, without a server or pgbench. */
  readonly isMicro: boolean;
  readonly rounds: number;
  readonly roundSeconds: number;
  /** Pool sizes that each pooler is tried with where the case leaves the choice. */
  readonly poolSizes: readonly number[];
  readonly cases: readonly BenchCase[];
  /** Where the results go; null for a name made from the time. */
  readonly jsonPath: string | null;
  /** Whether the tables go into the documentation. */
  readonly isDocumented: boolean;
};

/** A mistake of whoever gave the options, to be shown without a stack. */
export class UsageError extends Error {}

const whole = { rounds: 4, roundSeconds: 2, poolSizes: [4, 8, 20] } as const;
const quick = { rounds: 2, roundSeconds: 1, poolSizes: [8] } as const;

/** About, on a quiet machine with a PgBouncer of Debian's. */
function minutesOf(group: string | null): number {
  const cases = benchCases.filter((each) => group === null || groupOf(each) === group);
  const pgbouncer = { version: '1.18.0', canPrepare: false };
  const setup = { ...whole, pgbouncer, hasAwsWrapper: true };
  return Math.ceil(estimateSeconds(cases, setup, whole.rounds, whole.roundSeconds) / 60);
}

export const usageText = `Usage: npm run bench -- [options]

Everything is measured without options: ${benchCases.length} cases, ${minutesOf(null)} minutes.

  --quick         under two minutes: ${quick.rounds} rounds of ${quick.roundSeconds} s, \
fewer cases, one pool size
  --micro         framing, statement shapes and the ledger alone, without any server: 10 s
  --rounds N      times that everything is measured (default ${whole.rounds})
  --seconds N     length of one measurement (default ${whole.roundSeconds})
  --only LIST     groups or cases to run, by comma; the beginning of a name stands for all that
                  begin so. The groups, with their minutes:
                  ${benchGroups.map((group) => `${group} ${minutesOf(group)}`).join(', ')}
  --json FILE     where to write the results (default bench/results/<time>.json)
  --write-docs    put the tables of groups that were measured as a whole into docs/performance.md
  --help          this text
`;

const ROUNDS_MAX = 100;
const SECONDS_MAX = 600;

/**
 * Reads the arguments after the program's name; null when only the usage is asked for.
 * @throws UsageError
 */
export function parseOptions(args: readonly string[]): BenchOptions | null {
  const { values } = parseStrictly(args);
  if (values.help === true) return null;
  const isQuick = values.quick === true;
  const isDocumented = values['write-docs'] === true;
  if (isDocumented && isQuick) {
    throw new UsageError('--write-docs: a quick run is too short for the documentation');
  }
  const usual = isQuick ? quick : whole;
  return {
    isQuick,
    isMicro: values.micro === true,
    rounds: count('--rounds', values.rounds, usual.rounds, ROUNDS_MAX),
    roundSeconds: count('--seconds', values.seconds, usual.roundSeconds, SECONDS_MAX),
    poolSizes: usual.poolSizes,
    cases: chosenCases(values.only ?? null, isQuick),
    jsonPath: values.json ?? null,
    isDocumented,
  };
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        quick: { type: 'boolean' },
        micro: { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        only: { type: 'string' },
        json: { type: 'string' },
        'write-docs': { type: 'boolean' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function count(flag: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= max) return value;
  throw new UsageError(`${flag} must be a whole number from 1 to ${max}, not "${text}"`);
}

function chosenCases(only: string | null, isQuick: boolean): readonly BenchCase[] {
  if (only === null) return benchCases.filter((each) => each.isQuick || !isQuick);
  const wanted = only.split(',').map((name) => name.trim());
  for (const name of wanted) {
    if (name === '' || !benchCases.some((each) => each.name.startsWith(name))) {
      throw new UsageError(`--only: there is no case "${name}"`);
    }
  }
  return benchCases.filter((each) => wanted.some((name) => each.name.startsWith(name)));
}
