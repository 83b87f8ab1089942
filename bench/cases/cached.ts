/** What the query cache gives, and what it costs when it has nothing. */
import {
  type BenchCase,
  type Contestant,
  type QueryMode,
  queryModes,
  type Script,
} from './case.ts';
import { ALL_ROUNDS, loadCase, plainModes, ratios } from './load-case.ts';
import { wayName } from './way.ts';

const CLIENTS = 64;
/** An answer from memory needs no link, so the gateway is measured with one pool size only. */
const POOL_SIZE = 8;

const sizeTitles = { '1k': '1 KB', '100k': '100 KB' } as const;
type Size = keyof typeof sizeTitles;

function hits(size: Size, percent: 100 | 90, mode: QueryMode): BenchCase {
  const isAll = percent === 100;
  const hot = { name: `hot-${size}`, weight: isAll ? 1 : 9 };
  const scripts: Script[] = isAll ? [hot] : [hot, { name: `cold-${size}`, weight: 1 }];
  // Large results cost everybody so much that more pool sizes would tell little; a mix has no bar.
  const sizes = size === '100k' || !isAll ? { sizes: [POOL_SIZE] } : {};
  return loadCase({
    name: `cached-${size}-${percent}-${mode}`,
    title: `${sizeTitles[size]}, ${percent} % from the cache, ${CLIENTS} clients, ${mode}`,
    load: { scripts, mode, clients: CLIENTS, unit: 'query', crowd: null },
    bars: isAll ? ratios(mode === 'prepared' ? null : 2, 1.5) : ratios(null, null),
    isQuick: isAll && size === '1k' && mode === 'extended',
    millrace: { pooler: 'millrace-cache', sizes: [POOL_SIZE] },
    ...sizes,
    proof: { hits: isAll ? { min: 0.99, max: 1 } : { min: 0.85, max: 0.95 } },
  });
}

/** Two gateways, one with the cache and one without; no key is asked for twice. */
function miss(writes: 0 | 10, mode: QueryMode): BenchCase {
  const read = { name: 'unique', weight: writes === 0 ? 1 : 9 };
  const scripts: Script[] = writes === 0 ? [read] : [read, { name: 'write', weight: 1 }];
  const load = { scripts, mode, clients: CLIENTS, unit: 'query', crowd: null } as const;
  const contestant = (
    side: Contestant['side'],
    pooler: 'millrace' | 'millrace-cache',
  ): Contestant => {
    const way = { pooler, poolSize: POOL_SIZE };
    const subject = { kind: 'load', way, load, proof: { hits: { min: 0, max: 0.01 } } } as const;
    return { name: wayName(way), side, subject };
  };
  return {
    name: `cached-miss-${writes}-${mode}`,
    title: `never from the cache, ${writes} % writes, ${CLIENTS} clients, ${mode}`,
    headline: 'tps',
    bars: [{ kind: 'ratio', of: 'Millrace', to: 'cache off', atLeast: 0.9 }],
    isQuick: false,
    roundsMax: ALL_ROUNDS,
    contestants: () => [
      contestant('cache off', 'millrace'),
      contestant('Millrace', 'millrace-cache'),
    ],
  };
}

export const cachedCases: readonly BenchCase[] = [
  ...queryModes.map((mode) => hits('1k', 100, mode)),
  ...queryModes.map((mode) => hits('100k', 100, mode)),
  ...queryModes.map((mode) => hits('1k', 90, mode)),
  hits('100k', 90, 'extended'),
  ...plainModes.map((mode) => miss(0, mode)),
  ...plainModes.map((mode) => miss(10, mode)),
];
