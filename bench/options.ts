/** What the benchmark was asked for on its command line. */
import { parseArgs } from 'node:util';
import { type BenchCase, benchCases } from './cases.ts';

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
};

/** A mistake of whoever gave the options, to be shown without a stack. */
export class UsageError extends Error {}

export const usageText = `Usage: npm run bench -- [options]

  --quick         under two minutes: 2 rounds of 2 s, fewer cases, one pool size
  --micro         framing, statement shapes and the ledger alone, without any server: 10 s
  --rounds N      times that every target is measured (default 5)
  --seconds N     length of one measurement (default 5)
  --only LIST     cases to run, by comma; the beginning of a name stands for all that begin so:
                  ${benchCases.map((each) => each.name).join(', ')}
  --json FILE     where to write the results (default bench/results/<time>.json)
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
  return {
    isQuick,
    isMicro: values.micro === true,
    rounds: count('--rounds', values.rounds, isQuick ? 2 : 5, ROUNDS_MAX),
    roundSeconds: count('--seconds', values.seconds, isQuick ? 2 : 5, SECONDS_MAX),
    poolSizes: isQuick ? [8] : [4, 8, 20],
    cases: chosenCases(values.only ?? null, isQuick),
    jsonPath: values.json ?? null,
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
