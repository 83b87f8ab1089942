/** From single measurements to what a case shows. */
import type { BenchCase, Pooler, Target } from './cases.ts';
import { targetName } from './cases.ts';
import type { PgbenchFigures } from './pgbench-output.ts';
import { median, pairedRatios, type Spread, spread } from './statistics.ts';

/** Processor time per transaction, in microseconds. */
export type CpuFigures = {
  readonly pgbench: number;
  /** Null when there is nothing between pgbench and the server. */
  readonly pooler: number | null;
  readonly postgres: number;
};

export type Measurement = PgbenchFigures & {
  readonly caseName: string;
  readonly target: Target;
  readonly round: number;
  readonly cpuUs: CpuFigures;
};

export type TargetSummary = {
  readonly target: Target;
  readonly tps: Spread;
  readonly latencyMs: Spread;
  /** Medians. */
  readonly cpuUs: CpuFigures;
};

export type CaseSummary = {
  readonly benchCase: BenchCase;
  readonly targets: readonly TargetSummary[];
  readonly direct: TargetSummary;
  /** The best pool size of each, by median; null for PgBouncer where it could not take part. */
  readonly millrace: TargetSummary;
  readonly pgbouncer: TargetSummary | null;
  /** Of transactions per second, each at its best pool size, paired by round. */
  readonly millraceToDirect: Spread;
  readonly millraceToPgbouncer: Spread | null;
  /** What each adds to the latency of the direct way, in milliseconds, paired by round. */
  readonly millraceAddsMs: Spread;
  readonly pgbouncerAddsMs: Spread | null;
};

type Series = { readonly summary: TargetSummary; readonly rounds: readonly Measurement[] };

/** @throws Error when the direct way or the gateway was not measured in every round */
export function summarize(benchCase: BenchCase, all: readonly Measurement[]): CaseSummary {
  const series = seriesOf(all.filter((each) => each.caseName === benchCase.name));
  const direct = series.find((each) => each.summary.target.kind === 'direct');
  const millrace = bestOf(series, 'millrace');
  const pgbouncer = bestOf(series, 'pgbouncer');
  if (direct === undefined || millrace === null) {
    throw new Error(`${benchCase.name} has no figures to compare`);
  }
  return {
    benchCase,
    targets: series.map((each) => each.summary),
    direct: direct.summary,
    millrace: millrace.summary,
    pgbouncer: pgbouncer?.summary ?? null,
    millraceToDirect: pairedRatios(tpsOf(millrace), tpsOf(direct)),
    millraceToPgbouncer:
      pgbouncer === null ? null : pairedRatios(tpsOf(millrace), tpsOf(pgbouncer)),
    millraceAddsMs: addedMs(millrace, direct),
    pgbouncerAddsMs: pgbouncer === null ? null : addedMs(pgbouncer, direct),
  };
}

/** Groups by target, in the order of first appearance, each with its rounds in order. */
function seriesOf(measurements: readonly Measurement[]): readonly Series[] {
  const byName = new Map<string, Measurement[]>();
  for (const each of measurements) {
    const name = targetName(each.target);
    const group = byName.get(name);
    if (group === undefined) byName.set(name, [each]);
    else group.push(each);
  }
  return [...byName.values()].map((group) => {
    const rounds = [...group].sort((a, b) => a.round - b.round);
    return { summary: summarizeTarget(rounds), rounds };
  });
}

function summarizeTarget(rounds: readonly Measurement[]): TargetSummary {
  const { target } = rounds[0] as Measurement;
  const of = (figure: (cpu: CpuFigures) => number): number =>
    median(rounds.map((each) => figure(each.cpuUs)));
  return {
    target,
    tps: spread(rounds.map((each) => each.tps)),
    latencyMs: spread(rounds.map((each) => each.latencyMs)),
    cpuUs: {
      pgbench: of((cpu) => cpu.pgbench),
      pooler: target.kind === 'direct' ? null : of((cpu) => cpu.pooler ?? 0),
      postgres: of((cpu) => cpu.postgres),
    },
  };
}

function bestOf(series: readonly Series[], kind: Pooler): Series | null {
  let best: Series | null = null;
  for (const each of series) {
    if (each.summary.target.kind !== kind) continue;
    if (best === null || each.summary.tps.median > best.summary.tps.median) best = each;
  }
  return best;
}

function tpsOf(series: Series): readonly number[] {
  return series.rounds.map((each) => each.tps);
}

function addedMs(series: Series, direct: Series): Spread {
  return spread(
    series.rounds.map((each, at) => each.latencyMs - (direct.rounds[at] as Measurement).latencyMs),
  );
}
