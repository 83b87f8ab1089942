/** Times small pieces of code in this process: how long one of them takes, again and again. */
import { type Spread, spread } from '../report/statistics.ts';

/** One piece of code. */
export type MicroCase = {
  readonly name: string;
  readonly title: string;
  /** How many of what is counted one call of `run` does. */
  readonly perRun: number;
  /** Answers something that depends on the work, so that no compiler takes it for useless. */
  run(): number;
};

export type MicroResult = {
  readonly name: string;
  readonly title: string;
  /** Nanoseconds for one. */
  readonly ns: Spread;
};

const WARM_UP_MS = 200;

/** Results are added up here. */
let sink = 0;

/** How often `run` fits into `ms`. */
function countFor(each: MicroCase, ms: number): number {
  const endMs = performance.now() + ms;
  let count = 0;
  do {
    sink += each.run();
    count++;
  } while (performance.now() < endMs);
  return count;
}

function timeOf(each: MicroCase, count: number): number {
  const startMs = performance.now();
  for (let n = 0; n < count; n++) sink += each.run();
  return ((performance.now() - startMs) * 1e6) / (count * each.perRun);
}

/**
 * Measures all cases in turns, so that what slows the machine for a while slows all of them.
 * @param rounds how often each is measured
 */
export function measureMicro(
  cases: readonly MicroCase[],
  rounds: number,
  roundMs: number,
): readonly MicroResult[] {
  const counts = cases.map((each) =>
    Math.max(1, Math.round((countFor(each, WARM_UP_MS) * roundMs) / WARM_UP_MS)),
  );
  const times: number[][] = cases.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, each] of cases.entries()) {
      (times[at] as number[]).push(timeOf(each, counts[at] as number));
    }
  }
  if (Number.isNaN(sink)) throw new Error('a case has answered something that is no number');
  return cases.map(({ name, title }, at) => ({ name, title, ns: spread(times[at] as number[]) }));
}

const figure = (ns: number): string => (ns < 100 ? ns.toFixed(1) : ns.toFixed(0));

/** The results as a Markdown table. */
export function microTable(results: readonly MicroResult[]): string {
  const rows = results.map(
    ({ title, ns }) =>
      `| ${title} | ${figure(ns.median)} (${figure(ns.min)}–${figure(ns.max)}) |\n`,
  );
  return `| what | ns |\n| --- | ---: |\n${rows.join('')}`;
}
