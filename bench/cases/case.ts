/** What a case of the benchmark is: who is compared in what, and which bar it has to reach. */
import type { FigureName } from '../report/figures.ts';
import type { PgbouncerAbility, Way } from './way.ts';

/** How pgbench sends its statements. */
export const queryModes = ['simple', 'extended', 'prepared'] as const;
export type QueryMode = (typeof queryModes)[number];

/** A script that pgbench has built in, or the name of one of ours. */
export type Script = { readonly name: string; readonly weight: number };

/** What pgbench does. */
export type Load = {
  readonly scripts: readonly Script[];
  readonly mode: QueryMode;
  readonly clients: number;
  /** What one transaction of the scripts is called where its cost is told. */
  readonly unit: 'query' | 'transaction';
  /** How many application names and time zones the clients have; null for as it comes. */
  readonly crowd: { readonly names: number; readonly zones: number } | null;
};

/**
 * What must be true of the statements of a run for it to count, as parts of all of them. It is read
 * from the gateway's own counters: a row that does not measure what it says is worse than none.
 */
export type Proof = {
  /** Answered from memory. */
  readonly hits?: { readonly min: number; readonly max: number };
  /** Sent over a connection that other clients used at the same time. */
  readonly shared?: { readonly min: number };
};

/** What is measured of a contestant. */
export type Subject =
  | { readonly kind: 'load'; readonly way: Way; readonly load: Load; readonly proof: Proof }
  | { readonly kind: 'strangers'; readonly way: Way; readonly isDisturbed: boolean }
  | { readonly kind: 'logins'; readonly way: Way }
  | { readonly kind: 'idle'; readonly server: IdleServer; readonly isTls: boolean }
  | { readonly kind: 'slow'; readonly pooler: 'millrace' | 'pgbouncer' }
  | { readonly kind: 'failover'; readonly way: FailoverWay; readonly loss: Loss }
  | { readonly kind: 'facts' };

/** Through the gateway with a plain driver, or past it with AWS's wrapper of that driver. */
export type FailoverWay = 'millrace' | 'aws-wrapper';

/** How a cluster loses its writer. */
export type Loss = 'failover' | 'crash' | 'hang';

/** Whose memory 10,000 idle clients take. */
export type IdleServer = 'bare' | 'millrace' | 'pgbouncer';

/** The sides of a comparison. A side may have several contestants, of which the best counts. */
export type Side =
  | 'direct'
  | 'PgBouncer'
  | 'AWS wrapper'
  | 'Millrace'
  | 'cache off'
  | 'one name'
  | 'undisturbed'
  | 'bare sockets';

export type Contestant = {
  /** Unique within its case. */
  readonly name: string;
  readonly side: Side;
  readonly subject: Subject;
};

/** What has to be reached. */
export type Bar =
  /** The headline of one side over that of another, round by round; null where nothing is asked. */
  | {
      readonly kind: 'ratio';
      readonly of: Side;
      readonly to: Side;
      readonly atLeast: number | null;
    }
  /** A figure of one side alone. */
  | {
      readonly kind: 'limit';
      readonly of: Side;
      readonly figure: FigureName;
      readonly atMost: number;
    }
  /** What one side adds to the direct way, beside what another adds: at most so many times that. */
  | {
      readonly kind: 'added';
      readonly of: Side;
      readonly beside: Side;
      readonly figure: FigureName;
      readonly atMostTimes: number;
    };

/** What the choice of contestants depends on. */
export type Setup = {
  /** Pool sizes that each pooler is tried with where the case leaves the choice. */
  readonly poolSizes: readonly number[];
  /** Null where it is not installed. */
  readonly pgbouncer: PgbouncerAbility | null;
  /** Whether AWS's wrapper is installed. */
  readonly hasAwsWrapper: boolean;
};

export type BenchCase = {
  /** Begins with the word that names its group. */
  readonly name: string;
  readonly title: string;
  /** What decides which contestant of a side is its best, and what ratios are of. */
  readonly headline: FigureName;
  readonly bars: readonly Bar[];
  /** Whether the quick run has it too. */
  readonly isQuick: boolean;
  /** So many rounds at most: what does not vary needs no repetition. */
  readonly roundsMax: number;
  contestants(setup: Setup): readonly Contestant[];
};

/** The first word of a case's name: such cases stand in one table of the documentation. */
export function groupOf({ name }: Pick<BenchCase, 'name'>): string {
  return name.split('-')[0] as string;
}

/**
 * The order within a round: every round begins one contestant further on, so that none always comes
 * after the same neighbour, or first.
 */
export function roundOrder<T>(contestants: readonly T[], round: number): readonly T[] {
  const first = contestants.length === 0 ? 0 : round % contestants.length;
  return [...contestants.slice(first), ...contestants.slice(0, first)];
}
