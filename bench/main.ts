/**
 * `npm run bench`: Millrace beside a direct connection and PgBouncer, in turns, on one PostgreSQL.
 * How to read the outcome: docs/performance.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { benchCases, poolSizesNeeded } from './cases/cases.ts';
import { pgbouncerAbility } from './cases/way.ts';
import { hasAwsWrapper } from './failover/failover.ts';
import { microCases } from './micro/cases.ts';
import { measureMicro, microTable } from './micro/harness.ts';
import { type BenchOptions, parseOptions, UsageError, usageText } from './options.ts';
import { type RunInfo, runText, wholeGroups, withSections } from './report/docs.ts';
import { report } from './report/table.ts';
import { type Outcome, runCases } from './run.ts';
import { machine } from './system/machine.ts';
import { ROOT } from './system/root.ts';
import { findProgram, requirePgbench, runProgram } from './ways/programs.ts';
import { type Pgbouncer, Scene } from './ways/scene.ts';

const VERSION_TIMEOUT_MS = 5_000;
const MICRO_ROUND_MS = 200;
/** The exit code of a program that a signal has ended. */
const INTERRUPTED = 130;
const DOCUMENT = join(ROOT, 'docs/performance.md');

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function versionOf(program: string): Promise<string> {
  return (await runProgram(program, ['--version'], {}, VERSION_TIMEOUT_MS)).stdout.trim();
}

/** PgBouncer with what it can do, or null where it is not installed. */
async function findPgbouncer(): Promise<Pgbouncer | null> {
  const program = findProgram('pgbouncer');
  if (program === null) return null;
  return { program, ability: pgbouncerAbility(await versionOf(program)) };
}

/** Measures every case; whatever it starts ends with it. */
async function run(
  options: BenchOptions,
  pgbench: string,
  pgbouncer: Pgbouncer | null,
): Promise<Outcome> {
  const { cases, rounds, roundSeconds, poolSizes } = options;
  const setup = {
    poolSizes,
    pgbouncer: pgbouncer?.ability ?? null,
    hasAwsWrapper: hasAwsWrapper(),
  };
  say('PostgreSQL starts and fills its tables …');
  const sizes = poolSizesNeeded(cases, setup);
  const scene = await Scene.start({ pgbench, pgbouncer, poolSizes: sizes });
  const onSignal = (): void => void scene.stop().finally(() => process.exit(INTERRUPTED));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, onSignal);
  try {
    return await runCases(scene, { cases, rounds, roundSeconds, setup, say });
  } finally {
    await scene.stop();
  }
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) process.stdout.write(usageText);
  else if (options.isMicro) await runMicro(options);
  else await runAll(options);
}

async function runAll(options: BenchOptions): Promise<void> {
  if (process.platform !== 'linux') throw new UsageError('the benchmark needs Linux and its /proc');
  const pgbench = requirePgbench();
  const pgbouncer = await findPgbouncer();
  if (pgbouncer === null) say('PgBouncer is not installed: nothing is compared with it.');
  if (!hasAwsWrapper()) say("AWS's wrapper is not there: npm ci --prefix bench/failover");
  const info: RunInfo = {
    startedAt: new Date().toISOString(),
    rounds: options.rounds,
    roundSeconds: options.roundSeconds,
    poolSizes: options.poolSizes,
    machine: machine(),
    versions: {
      pgbench: await versionOf(pgbench),
      pgbouncer: pgbouncer?.ability.version ?? null,
    },
  };
  const { summaries, measurements } = await run(options, pgbench, pgbouncer);
  process.stdout.write(`\n${runText(info)}\n\n${report(summaries)}`);
  keep(options, info.startedAt, { ...info, measurements, summaries });
  if (options.isDocumented) {
    const groups = wholeGroups(benchCases, summaries);
    const text = withSections(readFileSync(DOCUMENT, 'utf8'), groups, summaries, info);
    writeFileSync(DOCUMENT, text);
    say(`Written to docs/performance.md: ${groups.length === 0 ? 'nothing' : groups.join(', ')}`);
  }
  if (summaries.some(({ failure }) => failure !== null)) process.exitCode = 1;
}

async function runMicro(options: BenchOptions): Promise<void> {
  const startedAt = new Date().toISOString();
  const results = measureMicro(await microCases(), options.rounds, MICRO_ROUND_MS);
  process.stdout.write(`\n${microTable(results)}`);
  keep(options, startedAt, { startedAt, machine: machine(), rounds: options.rounds, results });
}

function keep(options: BenchOptions, startedAt: string, results: object): void {
  const path = options.jsonPath ?? `bench/results/${startedAt.replaceAll(':', '-')}.json`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
  say(`\nAll figures: ${path}`);
}

main().catch((error: unknown) => {
  const isUsage = error instanceof UsageError;
  say(isUsage ? `${error.message}\n` : String(error instanceof Error ? error.stack : error));
  process.exitCode = isUsage ? 2 : 1;
});
