/** Reads and transactions that go to the server. */
import { type Bar, type BenchCase, type Contestant, type QueryMode, queryModes } from './case.ts';
import { ALL_ROUNDS, clientsText, loadCase, ratios } from './load-case.ts';
import { wayName } from './way.ts';

/** Above this number of clients links are shared all the time. */
const CROWD_MIN = 16;
/** The part of the reads of a crowd that has to share: the first results of a shape never do. */
const mostShared = { shared: { min: 0.5 } } as const;
const addedLatency: Bar = {
  kind: 'added',
  of: 'Millrace',
  beside: 'PgBouncer',
  figure: 'latencyMs',
  atMostTimes: 1.5,
};

/** The bars of point reads with 64 clients; other numbers of clients have none. */
const readBars: Readonly<Record<QueryMode, readonly Bar[]>> = {
  simple: ratios(1, null),
  extended: ratios(1.2, 1.2),
  prepared: ratios(1.15, 1),
};

/** Where not all sizes are tried that were asked for. */
const readSizes: Readonly<Record<number, { readonly sizes: readonly number[] }>> = {
  // A single client occupies a single link, however many there may be.
  1: { sizes: [20] },
  // So many logins take longer than what is measured.
  500: { sizes: [8, 20] },
};

function reads(clients: number, mode: QueryMode): BenchCase {
  const bars = clients === 64 ? readBars[mode] : ratios(null, null);
  return loadCase({
    name: `reads-${clients}-${mode}`,
    title: `point reads, ${clientsText(clients)}, ${mode}`,
    load: {
      scripts: [{ name: 'select-only', weight: 1 }],
      mode,
      clients,
      unit: 'query',
      crowd: null,
    },
    bars: clients === 1 ? [...bars, addedLatency] : bars,
    isQuick: clients === 64 || (clients === 1 && mode === 'simple'),
    ...readSizes[clients],
    proof: clients >= CROWD_MIN ? mostShared : {},
  });
}

/** A generic plan would be a hundred times slower here, and a named statement might get one. */
const skewed = loadCase({
  name: 'reads-skewed-extended',
  title: 'rare values of a skewed column, 64 clients, extended',
  load: {
    scripts: [{ name: 'skewed', weight: 1 }],
    mode: 'extended',
    clients: 64,
    unit: 'query',
    crowd: null,
  },
  bars: ratios(null, 1),
  isQuick: false,
  sizes: [8],
  proof: mostShared,
});

/** Time zones cannot be mixed within one connection's pipeline without a SET in between. */
function mixed(mode: QueryMode): BenchCase {
  const contestant = (side: Contestant['side'], names: number, zones: number): Contestant => {
    const way = { pooler: 'millrace', poolSize: 8 } as const;
    const script = { name: 'select-only', weight: 1 };
    const crowd = { names, zones };
    const load = { scripts: [script], mode, clients: 64, unit: 'query', crowd } as const;
    return {
      name: `${wayName(way)}, ${names === 1 ? 'one name' : `${names} names, ${zones} zones`}`,
      side,
      subject: { kind: 'load', way, load, proof: mostShared },
    };
  };
  return {
    name: `mixed-64-${mode}`,
    title: `point reads, 64 clients of 8 application names and 3 time zones, ${mode}`,
    headline: 'tps',
    bars: [{ kind: 'ratio', of: 'Millrace', to: 'one name', atLeast: 0.85 }],
    isQuick: false,
    roundsMax: ALL_ROUNDS,
    contestants: () => [contestant('one name', 1, 1), contestant('Millrace', 8, 3)],
  };
}

function tpcb(clients: number, mode: QueryMode): BenchCase {
  return loadCase({
    name: `tpcb-${clients}-${mode}`,
    title: `TPC-B-like in BEGIN … END, ${clientsText(clients)}, ${mode}`,
    load: {
      scripts: [{ name: 'tpcb-like', weight: 1 }],
      mode,
      clients,
      unit: 'transaction',
      crowd: null,
    },
    bars: ratios(clients === 16 ? 0.95 : null, null),
    isQuick: clients === 16 && mode === 'simple',
    sizes: [16],
  });
}

function cores(mode: QueryMode): BenchCase {
  return loadCase({
    name: `cores-64-${mode}`,
    title: `point reads on all cores, 64 clients, ${mode}`,
    load: {
      scripts: [{ name: 'select-only', weight: 1 }],
      mode,
      clients: 64,
      unit: 'query',
      crowd: null,
    },
    bars: readBars[mode],
    isQuick: false,
    millrace: { pooler: 'millrace-cores' },
    pgbouncer: 'pgbouncer-cores',
    // Fewer would leave each of several processes with too little.
    sizes: [8, 20],
    proof: mostShared,
  });
}

export const uncachedCases: readonly BenchCase[] = [
  ...[64, 16, 500, 1].flatMap((clients) => queryModes.map((mode) => reads(clients, mode))),
  skewed,
  ...queryModes.map(mixed),
  ...queryModes.map((mode) => tpcb(16, mode)),
  tpcb(1, 'simple'),
  tpcb(64, 'simple'),
  ...queryModes.map(cores),
];
