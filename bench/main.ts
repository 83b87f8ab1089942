/**
 * `npm run bench`: Millrace beside a direct connection and PgBouncer, in turns, on one PostgreSQL.
 * How to read the outcome: docs/performance.md.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import {
  type PgbouncerAbility,
  pgbouncerAbility,
  poolSizesNeeded,
  roundOrder,
  targetName,
  targetsOf,
} from './cases.ts';
import { Meter, type Scene } from './measure.ts';
import { microCases } from './micro/cases.ts';
import { measureMicro, microTable } from './micro/harness.ts';
import { startMillrace } from './millrace-process.ts';
import { type BenchOptions, parseOptions, UsageError, usageText } from './options.ts';
import { SCALE, startOrigin } from './origin.ts';
import { startPgbouncer } from './pgbouncer-process.ts';
import { Scratch } from './place.ts';
import { findProgram, requirePgbench, runProgram } from './programs.ts';
import { type Measurement, summarize } from './summary.ts';
import { report } from './table.ts';

const VERSION_TIMEOUT_MS = 5_000;
const MIB = 1_048_576;
const MICRO_ROUND_MS = 200;

type Versions = { readonly pgbench: string; readonly pgbouncer: PgbouncerAbility | null };

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Measures every case and returns the figures; whatever it starts ends with it. */
async function run(options: BenchOptions, pgbench: string): Promise<readonly Measurement[]> {
  const stops: (() => Promise<void> | void)[] = [];
  const bouncer = findProgram('pgbouncer');
  try {
    const scratch = new Scratch();
    stops.push(() => scratch.remove());
    say(`PostgreSQL starts and fills a database of scale ${SCALE} …`);
    const origin = await startOrigin(pgbench);
    stops.push(() => origin.server.stop());
    const sizes = poolSizesNeeded(options.cases, options.poolSizes);
    const ability = await abilityOf(bouncer);
    const pgbouncer =
      bouncer === null || ability === null
        ? null
        : await startPgbouncer(bouncer, origin, sizes, ability, scratch);
    if (pgbouncer !== null) stops.push(() => pgbouncer.stop());
    const millrace = await startMillrace(origin, sizes, scratch, nodeArgs());
    stops.push(() => millrace.stop());
    return await measureAll(options, { pgbench, origin, millrace, pgbouncer }, ability);
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** Further arguments for the gateway's Node, such as `--cpu-prof`. */
function nodeArgs(): readonly string[] {
  return (process.env['MILLRACE_BENCH_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '');
}

async function abilityOf(bouncer: string | null): Promise<PgbouncerAbility | null> {
  if (bouncer === null) return null;
  return pgbouncerAbility(
    (await runProgram(bouncer, ['--version'], {}, VERSION_TIMEOUT_MS)).stdout,
  );
}

async function measureAll(
  options: BenchOptions,
  scene: Scene,
  ability: PgbouncerAbility | null,
): Promise<readonly Measurement[]> {
  const meter = new Meter(scene);
  const measurements: Measurement[] = [];
  for (const benchCase of options.cases) {
    const targets = targetsOf(benchCase, options.poolSizes, ability);
    for (const target of targets) await meter.warmUp(benchCase, target);
    for (let round = 0; round < options.rounds; round++) {
      const figures: string[] = [];
      for (const target of roundOrder(targets, round)) {
        const each = await meter.measure(benchCase, target, round, options.roundSeconds);
        measurements.push(each);
        figures.push(`${targetName(target)} ${Math.round(each.tps)}`);
      }
      say(`${benchCase.name} ${round + 1}/${options.rounds}: ${figures.join(', ')}`);
    }
  }
  return measurements;
}

async function versionsOf(pgbench: string): Promise<Versions> {
  const { stdout: text } = await runProgram(pgbench, ['--version'], {}, VERSION_TIMEOUT_MS);
  return { pgbench: text.trim(), pgbouncer: await abilityOf(findProgram('pgbouncer')) };
}

function machine() {
  const [first] = cpus();
  return {
    processors: cpus().length,
    processor: first?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / MIB),
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
  };
}

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === null) {
    process.stdout.write(usageText);
    return;
  }
  if (options.isMicro) {
    await runMicro(options);
    return;
  }
  if (process.platform !== 'linux') throw new UsageError('the benchmark needs Linux and its /proc');
  const pgbench = requirePgbench();
  const versions = await versionsOf(pgbench);
  if (versions.pgbouncer === null) say('PgBouncer is not installed: its columns stay empty.');
  const startedAt = new Date().toISOString();
  const measurements = await run(options, pgbench);
  const summaries = options.cases.map((each) => summarize(each, measurements));
  const { rounds, roundSeconds } = options;
  const results = { startedAt, machine: machine(), versions, rounds, roundSeconds, measurements };
  process.stdout.write(`\n${report(summaries)}`);
  keep(options, startedAt, { ...results, summaries });
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
