/** What is measured, and through what: the rows of the table and the ways to the server. */

/** How pgbench sends its statements. */
export type QueryMode = 'simple' | 'extended' | 'prepared';

export type BenchCase = {
  readonly name: string;
  readonly title: string;
  /** A script that pgbench has built in. */
  readonly script: 'select-only' | 'tpcb-like';
  readonly mode: QueryMode;
  readonly clients: number;
  /** What one transaction of the script is called where its cost is told. */
  readonly unit: 'query' | 'transaction';
  /** The only pool size that is tried; null for every size asked for, of which the best counts. */
  readonly poolSize: number | null;
  /** Whether the quick run has it too. */
  readonly isQuick: boolean;
};

function reads(clients: number, mode: QueryMode, isQuick: boolean): BenchCase {
  return {
    name: `reads-${clients}-${mode}`,
    title: `point reads, ${clients} client${clients === 1 ? '' : 's'}, ${mode}`,
    script: 'select-only',
    mode,
    clients,
    unit: 'query',
    // A single client occupies a single link, however many there may be.
    poolSize: clients === 1 ? 20 : null,
    isQuick,
  };
}

export const benchCases: readonly BenchCase[] = [
  reads(64, 'simple', true),
  reads(64, 'extended', true),
  reads(64, 'prepared', true),
  reads(1, 'simple', true),
  reads(1, 'extended', false),
  reads(1, 'prepared', false),
  {
    name: 'tpcb-16-simple',
    title: 'TPC-B-like in BEGIN … END, 16 clients, simple',
    script: 'tpcb-like',
    mode: 'simple',
    clients: 16,
    unit: 'transaction',
    poolSize: 16,
    isQuick: true,
  },
];

export type Pooler = 'millrace' | 'pgbouncer';

/** One way to the server. */
export type Target =
  | { readonly kind: 'direct' }
  | { readonly kind: Pooler; readonly poolSize: number };

export function targetName(target: Target): string {
  return target.kind === 'direct' ? 'direct' : `${target.kind}/${target.poolSize}`;
}

/** What the installed PgBouncer can do. */
export type PgbouncerAbility = {
  readonly version: string;
  /** Prepared statements of the protocol in transaction pooling, since 1.21. */
  readonly canPrepare: boolean;
};

/**
 * Reads what `pgbouncer --version` says.
 * @throws Error when that is no version
 */
export function pgbouncerAbility(versionOutput: string): PgbouncerAbility {
  const match = /PgBouncer (\d+)\.(\d+)(\.\d+)?/.exec(versionOutput);
  if (match === null) throw new Error('pgbouncer --version says nothing that reads as a version');
  const [, major, minor, patch] = match;
  const canPrepare = Number(major) > 1 || Number(minor) >= 21;
  return { version: `${major}.${minor}${patch ?? ''}`, canPrepare };
}

/** The ways that a case is measured through, in the order of the first round. */
export function targetsOf(
  benchCase: BenchCase,
  poolSizes: readonly number[],
  pgbouncer: PgbouncerAbility | null,
): readonly Target[] {
  const sizes = benchCase.poolSize === null ? poolSizes : [benchCase.poolSize];
  const withPgbouncer =
    pgbouncer !== null && (pgbouncer.canPrepare || benchCase.mode !== 'prepared');
  return [
    { kind: 'direct' },
    ...sizes.flatMap((poolSize): Target[] => [
      { kind: 'millrace', poolSize },
      ...(withPgbouncer ? [{ kind: 'pgbouncer', poolSize } as const] : []),
    ]),
  ];
}

/** All pool sizes that the cases need of each pooler. */
export function poolSizesNeeded(
  cases: readonly BenchCase[],
  poolSizes: readonly number[],
): readonly number[] {
  const sizes = cases.flatMap((each) => (each.poolSize === null ? poolSizes : [each.poolSize]));
  return [...new Set(sizes)].sort((a, b) => a - b);
}

/**
 * The order within a round: every round begins one target further on, so that none always comes
 * after the same neighbour, or first.
 */
export function roundOrder<T>(targets: readonly T[], round: number): readonly T[] {
  const first = targets.length === 0 ? 0 : round % targets.length;
  return [...targets.slice(first), ...targets.slice(0, first)];
}
