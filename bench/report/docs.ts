/** Puts the tables of a run into the documentation, so that nobody types a figure. */
import { type BenchCase, groupOf } from '../cases/case.ts';
import type { CaseSummary } from './bars.ts';
import { report } from './table.ts';

/** What a reader must know of a run, beside its figures. */
export type RunInfo = {
  readonly startedAt: string;
  readonly rounds: number;
  readonly roundSeconds: number;
  readonly poolSizes: readonly number[];
  readonly machine: {
    readonly processors: number;
    readonly processor: string;
    readonly memoryMiB: number;
    readonly system: string;
    readonly node: string;
  };
  readonly versions: {
    readonly pgbench: string;
    /** Null where it is not installed. */
    readonly pgbouncer: string | null;
  };
};

const begin = (group: string): string => `<!-- bench:${group} -->`;
const end = (group: string): string => `<!-- /bench:${group} -->`;

/** How it was measured, in a sentence. */
export function runText({ startedAt, rounds, roundSeconds, ...run }: RunInfo): string {
  const { machine, versions } = run;
  const parts = [
    startedAt.slice(0, 10),
    `${machine.processors} processors (${machine.processor})`,
    `${Math.round(machine.memoryMiB / 1024)} GiB`,
    `Node ${machine.node.replace(/^v/, '')}`,
    versions.pgbench.replace(/^pgbench \(PostgreSQL\) (\S+).*$/, 'pgbench $1'),
    versions.pgbouncer === null ? 'no PgBouncer' : `PgBouncer ${versions.pgbouncer}`,
    `${rounds} round${rounds === 1 ? '' : 's'} of ${roundSeconds} s`,
    `pool sizes ${run.poolSizes.join(', ')}`,
  ];
  return `${parts.join(', ')}.`;
}

/** The groups all of whose cases were measured, and well; the others keep what they have. */
export function wholeGroups(
  all: readonly BenchCase[],
  summaries: readonly CaseSummary[],
): readonly string[] {
  const good = new Set(summaries.filter(({ failure }) => failure === null).map(({ name }) => name));
  const groups = new Set(all.map(groupOf));
  return [...groups].filter((group) =>
    all.every((each) => groupOf(each) !== group || good.has(each.name)),
  );
}

/**
 * The document with the sections of these groups replaced.
 * @throws Error when it has no place for one of them
 */
export function withSections(
  document: string,
  groups: readonly string[],
  summaries: readonly CaseSummary[],
  info: RunInfo,
): string {
  let text = document;
  for (const group of groups) {
    const from = text.indexOf(begin(group));
    const to = text.indexOf(end(group));
    if (from === -1 || to < from) throw new Error(`the document has no place for ${group}`);
    const own = summaries.filter((each) => groupOf(each) === group);
    const section = `${begin(group)}\n\n${runText(info)}\n\n${report(own)}\n`;
    text = text.slice(0, from) + section + text.slice(to);
  }
  return text;
}
