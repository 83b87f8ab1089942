/** Makes the cases in which pgbench gives the load, and what goes through every pooler in them. */
import type { Bar, BenchCase, Contestant, Load, Proof, QueryMode, Setup } from './case.ts';
import { direct, type Pooler, type Way, wayName } from './way.ts';

/** As many rounds as are asked for. */
export const ALL_ROUNDS = Number.POSITIVE_INFINITY;

/** The modes in which PgBouncer can be compared also before its version 1.21. */
export const plainModes: readonly QueryMode[] = ['simple', 'extended'];

export type LoadCase = Pick<BenchCase, 'name' | 'title' | 'bars' | 'isQuick'> & {
  readonly load: Load;
  /** Where the gateway's own form or sizes are others than those of PgBouncer. */
  readonly millrace?: { readonly pooler: Pooler; readonly sizes?: readonly number[] };
  readonly pgbouncer?: Pooler;
  /** The only pool sizes that are tried; else those asked for. */
  readonly sizes?: readonly number[];
  readonly proof?: Proof;
};

/** A load on the direct way and through each pooler at each pool size. */
export function loadCase(given: LoadCase): BenchCase {
  const { name, title, bars, isQuick } = given;
  return {
    name,
    title,
    headline: 'tps',
    bars,
    isQuick,
    roundsMax: ALL_ROUNDS,
    contestants: (setup) => loadContestants(given, setup),
  };
}

function loadContestants(given: LoadCase, setup: Setup): readonly Contestant[] {
  const { load, millrace = { pooler: 'millrace' }, pgbouncer = 'pgbouncer' } = given;
  const contestant = (side: Contestant['side'], way: Way): Contestant => ({
    name: wayName(way),
    side,
    subject: { kind: 'load', way, load, proof: side === 'Millrace' ? (given.proof ?? {}) : {} },
  });
  const sizes = given.sizes ?? setup.poolSizes;
  const own = millrace.sizes ?? sizes;
  const takesPart =
    setup.pgbouncer !== null && (setup.pgbouncer.canPrepare || load.mode !== 'prepared');
  // Side by side at each size, so that neighbours in a round are what is compared.
  return [
    contestant('direct', direct),
    ...[...new Set([...own, ...sizes])].flatMap((poolSize) => [
      ...(own.includes(poolSize)
        ? [contestant('Millrace', { pooler: millrace.pooler, poolSize })]
        : []),
      ...(takesPart && sizes.includes(poolSize)
        ? [contestant('PgBouncer', { pooler: pgbouncer, poolSize })]
        : []),
    ]),
  ];
}

/** The two comparisons of most cases; null where nothing is asked of one. */
export function ratios(toPgbouncer: number | null, toDirect: number | null): readonly Bar[] {
  return [
    { kind: 'ratio', of: 'Millrace', to: 'PgBouncer', atLeast: toPgbouncer },
    { kind: 'ratio', of: 'Millrace', to: 'direct', atLeast: toDirect },
  ];
}

export function clientsText(clients: number): string {
  return `${clients} client${clients === 1 ? '' : 's'}`;
}
