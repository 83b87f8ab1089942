/** From the figures of a case to whether its bars are reached. */
import type { Bar, BenchCase, Contestant, Side } from '../cases/case.ts';
import { type FigureName, type Figures, figureNames, figureTable } from './figures.ts';
import { median, type Spread, spread } from './statistics.ts';

/** One measurement of one contestant. */
export type Measurement = {
  readonly caseName: string;
  readonly contestant: string;
  readonly round: number;
  readonly figures: Figures;
};

export type ContestantSummary = {
  readonly name: string;
  readonly side: Side;
  readonly figures: Readonly<Partial<Record<FigureName, Spread>>>;
};

/**
 * `met` and `missed` when every round says so; `within the spread` when some rounds reach the bar
 * and others do not: such a run does not decide it.
 */
export type Verdict = 'met' | 'missed' | 'within the spread' | 'not measured' | '';

export type Judgement = {
  readonly bar: Bar;
  /** What is compared with the bar; null when one of the two sides was not measured. */
  readonly value: Spread | null;
  readonly verdict: Verdict;
};

export type CaseSummary = {
  readonly name: string;
  readonly title: string;
  readonly headline: FigureName;
  readonly contestants: readonly ContestantSummary[];
  /** The best contestant of each side, in order of appearance. */
  readonly best: readonly ContestantSummary[];
  readonly judgements: readonly Judgement[];
  /** Why there are no figures, when there are none. */
  readonly failure: string | null;
};

type Series = { readonly summary: ContestantSummary; readonly rounds: readonly Figures[] };

/** A case that could not be measured, or whose statements did not take the way that it is about. */
export function failedCase(each: BenchCase, reason: string): CaseSummary {
  const { name, title, headline, bars } = each;
  const judgements = bars.map((bar) => ({ bar, value: null, verdict: 'not measured' }) as const);
  return { name, title, headline, contestants: [], best: [], judgements, failure: reason };
}

export function summarize(
  each: BenchCase,
  contestants: readonly Contestant[],
  all: readonly Measurement[],
): CaseSummary {
  const own = all.filter(({ caseName }) => caseName === each.name);
  const series = contestants.map((contestant) => seriesOf(contestant, own));
  const best = bestOfSides(series, each.headline);
  return {
    name: each.name,
    title: each.title,
    headline: each.headline,
    contestants: series.map(({ summary }) => summary),
    best: best.map(({ summary }) => summary),
    judgements: each.bars.map((bar) => judge(bar, each.headline, best)),
    failure: null,
  };
}

/** @throws Error when the contestant was not measured in every round */
function seriesOf({ name, side }: Contestant, own: readonly Measurement[]): Series {
  const rounds = own
    .filter(({ contestant }) => contestant === name)
    .sort((a, b) => a.round - b.round)
    .map(({ figures }) => figures);
  if (rounds.length === 0) throw new Error(`${name} was not measured`);
  const spreads: Partial<Record<FigureName, Spread>> = {};
  for (const figure of figureNames) {
    const values = rounds.map((figures) => figures[figure]).filter((value) => value !== undefined);
    if (values.length > 0) spreads[figure] = spread(values);
  }
  return { summary: { name, side, figures: spreads }, rounds };
}

function bestOfSides(series: readonly Series[], headline: FigureName): readonly Series[] {
  const best = new Map<Side, Series>();
  const sign = figureTable[headline].isMoreBetter ? 1 : -1;
  const score = ({ rounds }: Series): number =>
    sign * median(rounds.map((figures) => figureOf(figures, headline)));
  for (const each of series) {
    const other = best.get(each.summary.side);
    if (other === undefined || score(each) > score(other)) best.set(each.summary.side, each);
  }
  return [...best.values()];
}

function figureOf(figures: Figures, name: FigureName): number {
  const value = figures[name];
  if (value === undefined) throw new Error(`${name} was not measured`);
  return value;
}

function judge(bar: Bar, headline: FigureName, best: readonly Series[]): Judgement {
  const figure = bar.kind === 'ratio' ? headline : bar.figure;
  const valuesOf = (side: Side): readonly number[] | null =>
    best
      .find(({ summary }) => summary.side === side)
      ?.rounds.map((figures) => figureOf(figures, figure)) ?? null;
  const value = comparedOf(bar, valuesOf);
  return { bar, value, verdict: verdictOf(bar, value) };
}

/** Round by round: what slows the whole machine for a while slows both sides, and falls out. */
function comparedOf(bar: Bar, valuesOf: (side: Side) => readonly number[] | null): Spread | null {
  const own = valuesOf(bar.of);
  if (own === null) return null;
  if (bar.kind === 'limit') return spread(own);
  const other = valuesOf(bar.kind === 'ratio' ? bar.to : bar.beside);
  const base = bar.kind === 'added' ? valuesOf('direct') : [];
  if (other === null || base === null) return null;
  return spread(
    own.map((value, round) => {
      const beside = other[round] as number;
      if (bar.kind === 'ratio') return value / beside;
      const over = base[round] as number;
      // A difference and not a ratio, which means nothing where what the other adds is about zero.
      return value - over - bar.atMostTimes * (beside - over);
    }),
  );
}

function verdictOf(bar: Bar, value: Spread | null): Verdict {
  if (value === null) return 'not measured';
  if (bar.kind === 'ratio') {
    if (bar.atLeast === null) return '';
    return decided(value.min >= bar.atLeast, value.max < bar.atLeast);
  }
  const limit = bar.kind === 'limit' ? bar.atMost : 0;
  return decided(value.max <= limit, value.min > limit);
}

function decided(isMet: boolean, isMissed: boolean): Verdict {
  if (isMet) return 'met';
  return isMissed ? 'missed' : 'within the spread';
}
