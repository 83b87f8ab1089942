/** The results as Markdown. */
import { targetName } from './cases.ts';
import type { Spread } from './statistics.ts';
import type { CaseSummary, CpuFigures, TargetSummary } from './summary.ts';

const ABSENT = 'n/a';

/** A Markdown table; all columns but the first are aligned to the right. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, at) => (at === 0 ? '---' : '---:'));
  return `${[head, rule, ...rows].map(line).join('\n')}\n`;
}

/** The median, and in brackets the smallest and the largest. */
export function spreadText(spread: Spread | null, digits: number): string {
  if (spread === null) return ABSENT;
  const [min, median, max] = [spread.min, spread.median, spread.max].map((value) =>
    value.toFixed(digits),
  );
  return `${median} (${min}–${max})`;
}

function thousands(spread: Spread): Spread {
  return { min: spread.min / 1000, median: spread.median / 1000, max: spread.max / 1000 };
}

function tpsText(summary: TargetSummary | null): string {
  if (summary === null) return ABSENT;
  const { target, tps } = summary;
  const pool = target.kind === 'direct' ? '' : `, pool ${target.poolSize}`;
  return `${spreadText(thousands(tps), 1)}${pool}`;
}

function microseconds(value: number | null): string {
  return value === null ? '' : value.toFixed(1);
}

/** Throughput with each pooler at its best pool size, in thousands per second, and the ratios. */
export function ratioTable(summaries: readonly CaseSummary[]): string {
  return markdownTable(
    ['case', 'direct, k/s', 'PgBouncer, k/s', 'Millrace, k/s', '÷ PgBouncer', '÷ direct'],
    summaries.map((each) => [
      each.benchCase.title,
      tpsText(each.direct),
      tpsText(each.pgbouncer),
      tpsText(each.millrace),
      spreadText(each.millraceToPgbouncer, 2),
      spreadText(each.millraceToDirect, 2),
    ]),
  );
}

/** What the poolers add to the latency of one client; empty when no case has a single one. */
export function latencyTable(summaries: readonly CaseSummary[]): string {
  const single = summaries.filter((each) => each.benchCase.clients === 1);
  if (single.length === 0) return '';
  const inUs = (spread: Spread | null): string => {
    if (spread === null) return ABSENT;
    const { min, median, max } = spread;
    return spreadText({ min: min * 1000, median: median * 1000, max: max * 1000 }, 0);
  };
  return markdownTable(
    ['case', 'direct, µs', 'PgBouncer adds, µs', 'Millrace adds, µs'],
    single.map((each) => [
      each.benchCase.title,
      inUs(each.direct.latencyMs),
      inUs(each.pgbouncerAddsMs),
      inUs(each.millraceAddsMs),
    ]),
  );
}

function total(cpu: CpuFigures): number {
  return cpu.pgbench + (cpu.pooler ?? 0) + cpu.postgres;
}

/** Every way that was measured, with the processor time of each process. */
export function targetTable(summaries: readonly CaseSummary[]): string {
  const head = ['case', 'through', 'k/s', 'pgbench, µs', 'pooler, µs', 'PostgreSQL, µs', 'sum, µs'];
  return markdownTable(
    head,
    summaries.flatMap(({ benchCase, targets }) =>
      targets.map((each) => [
        benchCase.name,
        targetName(each.target),
        spreadText(thousands(each.tps), 1),
        microseconds(each.cpuUs.pgbench),
        microseconds(each.cpuUs.pooler),
        microseconds(each.cpuUs.postgres),
        microseconds(total(each.cpuUs)),
      ]),
    ),
  );
}

/** All of it. */
export function report(summaries: readonly CaseSummary[]): string {
  const latency = latencyTable(summaries);
  return [
    'Throughput: medians (smallest–largest) of the rounds, each pooler at its best pool size;',
    'ratios are taken round by round.\n',
    ratioTable(summaries),
    ...(latency === '' ? [] : ['Latency of a single client.\n', latency]),
    'Processor time per query or transaction, medians.\n',
    targetTable(summaries),
  ].join('\n');
}
