/** The results as Markdown. */
import type { Bar } from '../cases/case.ts';
import type { CaseSummary, ContestantSummary, Judgement } from './bars.ts';
import { type FigureName, figureNames, figureTable } from './figures.ts';
import type { Spread } from './statistics.ts';

const ABSENT = 'n/a';

/** A Markdown table; all columns but the first are aligned as asked for. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isText: (column: number) => boolean = () => false,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, at) => (at === 0 || isText(at) ? '---' : '---:'));
  return `${[head, rule, ...rows].map(line).join('\n')}\n`;
}

/** The median, and in brackets the smallest and the largest where there are several. */
export function spreadText(spread: Spread | null | undefined, digits: number, scale = 1): string {
  if (spread === null || spread === undefined) return ABSENT;
  const [min, median, max] = [spread.min, spread.median, spread.max].map((value) =>
    (value * scale).toFixed(digits),
  );
  return min === max ? `${median}` : `${median} (${min}–${max})`;
}

function figureText(name: FigureName, spread: Spread | undefined): string {
  const { digits, scale } = figureTable[name];
  return spread === undefined ? '' : spreadText(spread, digits, scale);
}

/** Where a measurement is named after its side only, its name says all. */
function bestText(headline: FigureName, best: readonly ContestantSummary[]): string {
  const { title, digits, scale } = figureTable[headline];
  const each = best.map(({ name, figures }) => {
    const value = figures[headline];
    return `${name} ${value === undefined ? ABSENT : (value.median * scale).toFixed(digits)}`;
  });
  return `${each.join(', ')} (${title})`;
}

function comparedText(bar: Bar): string {
  if (bar.kind === 'ratio') return `${bar.of} ÷ ${bar.to}`;
  const { title } = figureTable[bar.figure];
  if (bar.kind === 'limit') return `${bar.of}, ${title}`;
  return `what ${bar.of} adds, less ${bar.atMostTimes} × what ${bar.beside} adds, ${title}`;
}

function valueText({ bar, value }: Judgement): string {
  if (bar.kind === 'ratio') return spreadText(value, 2);
  const { digits, scale } = figureTable[bar.figure];
  return spreadText(value, bar.kind === 'added' ? digits + 1 : digits, scale);
}

function barText(bar: Bar): string {
  if (bar.kind === 'ratio') return bar.atLeast === null ? '' : `≥ ${bar.atLeast}`;
  return `≤ ${bar.kind === 'limit' ? bar.atMost : 0}`;
}

/** A row for each bar of each case; the case is told with its first one. */
export function barTable(summaries: readonly CaseSummary[]): string {
  const head = ['case', 'medians, each at its best', 'compared', 'by round', 'bar', 'verdict'];
  const rows = summaries.flatMap((each) =>
    each.judgements.map((judgement, at) => [
      at === 0 ? each.title : '',
      at === 0 ? (each.failure ?? bestText(each.headline, each.best)) : '',
      comparedText(judgement.bar),
      valueText(judgement),
      barText(judgement.bar),
      judgement.verdict,
    ]),
  );
  return markdownTable(head, rows, (column) => [1, 2, 5].includes(column));
}

/** Every contestant with all that was measured; columns that nobody has are left out. */
export function detailTable(summaries: readonly CaseSummary[]): string {
  const rows = summaries.flatMap(({ name, contestants }) =>
    contestants.map((contestant) => ({ caseName: name, contestant })),
  );
  const columns = figureNames.filter((figure) =>
    rows.some(({ contestant }) => contestant.figures[figure] !== undefined),
  );
  return markdownTable(
    ['case', 'through', ...columns.map((figure) => figureTable[figure].title)],
    rows.map(({ caseName, contestant: { name, figures } }) => [
      caseName,
      name,
      ...columns.map((figure) => figureText(figure, figures[figure])),
    ]),
    (column) => column === 1,
  );
}

/** All of it, in tables of cases that were measured in the same way. */
export function report(summaries: readonly CaseSummary[]): string {
  const measured = summaries.filter(({ failure }) => failure === null);
  const failed = summaries.filter(({ failure }) => failure !== null);
  const headlines = [...new Set(measured.map(({ headline }) => headline))];
  return [
    barTable(summaries),
    ...headlines.map((headline) =>
      detailTable(measured.filter((each) => each.headline === headline)),
    ),
    ...failed.map(({ name, failure }) => `${name} has failed: ${failure}\n`),
  ].join('\n');
}
