/** All that is measured. Each case names its bar, and the tables are made from that. */

import { poolingDefaults } from '../../src/config/pooling.ts';
import { cachedCases } from './cached.ts';
import {
  type BenchCase,
  type Contestant,
  groupOf,
  type Loss,
  type Setup,
  type Side,
  type Subject,
} from './case.ts';
import { ALL_ROUNDS } from './load-case.ts';
import { uncachedCases } from './uncached.ts';
import { direct, type Pooler, type Way } from './way.ts';

const strangers: BenchCase = {
  name: 'strangers-p99',
  title: 'reads beside ACCESS EXCLUSIVE locks, cold reads of 200 ms and stalled results of 8 MB',
  headline: 'p99Ms',
  bars: [{ kind: 'limit', of: 'Millrace', figure: 'p99Ms', atMost: poolingDefaults.hedgeMs + 5 }],
  isQuick: false,
  roundsMax: ALL_ROUNDS,
  contestants: ({ pgbouncer }) => {
    const contestant = (side: Side, way: Way, isDisturbed: boolean) => ({
      name: side,
      side,
      subject: { kind: 'strangers', way, isDisturbed } as const,
    });
    return [
      contestant('direct', direct, true),
      contestant('Millrace', { pooler: 'millrace', poolSize: 20 }, true),
      ...(pgbouncer === null
        ? []
        : [contestant('PgBouncer', { pooler: 'pgbouncer', poolSize: 20 }, true)]),
      contestant('undisturbed', { pooler: 'millrace', poolSize: 20 }, false),
    ];
  },
};

/** The gateway and, where it is installed, PgBouncer. */
function both(
  { pgbouncer }: Setup,
  subjectOf: (pooler: 'millrace' | 'pgbouncer') => Subject,
): readonly Contestant[] {
  const millrace = { name: 'Millrace', side: 'Millrace', subject: subjectOf('millrace') } as const;
  if (pgbouncer === null) return [millrace];
  return [millrace, { name: 'PgBouncer', side: 'PgBouncer', subject: subjectOf('pgbouncer') }];
}

const logins: BenchCase = {
  name: 'logins-scram',
  title: 'a SCRAM login',
  headline: 'loginMs',
  bars: [{ kind: 'limit', of: 'Millrace', figure: 'loginMs', atMost: 0.5 }],
  isQuick: true,
  roundsMax: ALL_ROUNDS,
  contestants: (setup) =>
    both(setup, (pooler) => ({ kind: 'logins', way: { pooler, poolSize: 20 } })),
};

function idle(isTls: boolean): BenchCase {
  return {
    name: isTls ? 'memory-idle-tls' : 'memory-idle-plain',
    title: `10,000 idle clients (or as many as there may be files), ${isTls ? 'TLS' : 'plain TCP'}`,
    headline: 'clientKiB',
    bars: [{ kind: 'limit', of: 'Millrace', figure: 'clientKiB', atMost: isTls ? 48 : 20 }],
    isQuick: false,
    roundsMax: 1,
    contestants: (setup) => [
      {
        name: 'bare sockets',
        side: 'bare sockets',
        subject: { kind: 'idle', server: 'bare', isTls },
      },
      ...both(setup, (server) => ({ kind: 'idle', server, isTls })),
    ],
  };
}

const slow: BenchCase = {
  name: 'memory-slow',
  title: 'a result of 1 GB to a slow client',
  headline: 'growthMiB',
  bars: [{ kind: 'limit', of: 'Millrace', figure: 'growthMiB', atMost: 64 }],
  isQuick: false,
  roundsMax: 1,
  contestants: (setup) => both(setup, (pooler) => ({ kind: 'slow', pooler })),
};

const lossTitles: Readonly<Record<Loss, string>> = {
  failover: 'a failover that was asked for',
  crash: 'the writer crashes, and a reader is promoted a second later',
  hang: 'the writer hangs with its connections, and a reader is promoted',
};

function failover(loss: Loss): BenchCase {
  return {
    name: `failover-${loss}`,
    title: lossTitles[loss],
    headline: 'gapMs',
    bars: [{ kind: 'ratio', of: 'AWS wrapper', to: 'Millrace', atLeast: 1 }],
    isQuick: false,
    roundsMax: ALL_ROUNDS,
    contestants: ({ hasAwsWrapper }) => [
      { name: 'Millrace', side: 'Millrace', subject: { kind: 'failover', way: 'millrace', loss } },
      ...(hasAwsWrapper
        ? [
            {
              name: 'AWS wrapper',
              side: 'AWS wrapper',
              subject: { kind: 'failover', way: 'aws-wrapper', loss },
            } as const,
          ]
        : []),
    ],
  };
}

const facts: BenchCase = {
  name: 'facts-200',
  title: 'statement facts of a known shape, 200 bytes',
  headline: 'factsUs',
  bars: [{ kind: 'limit', of: 'Millrace', figure: 'factsUs', atMost: 2 }],
  isQuick: true,
  roundsMax: ALL_ROUNDS,
  contestants: () => [{ name: 'Millrace', side: 'Millrace', subject: { kind: 'facts' } }],
};

export const benchCases: readonly BenchCase[] = [
  ...uncachedCases,
  ...cachedCases,
  strangers,
  logins,
  idle(false),
  idle(true),
  slow,
  failover('failover'),
  failover('crash'),
  failover('hang'),
  facts,
];

/** The groups in the order of the table. */
export const benchGroups: readonly string[] = [...new Set(benchCases.map(groupOf))];

/** All pool sizes that the cases need of each pooler. */
export function poolSizesNeeded(
  cases: readonly BenchCase[],
  setup: Setup,
): ReadonlyMap<Pooler, readonly number[]> {
  const needed = new Map<Pooler, Set<number>>();
  for (const { subject } of cases.flatMap((each) => each.contestants(setup))) {
    if (subject.kind === 'failover' || !('way' in subject)) continue;
    if (subject.way.pooler === null) continue;
    const { pooler, poolSize } = subject.way;
    const sizes = needed.get(pooler);
    if (sizes === undefined) needed.set(pooler, new Set([poolSize]));
    else sizes.add(poolSize);
  }
  return new Map([...needed].map(([pooler, sizes]) => [pooler, [...sizes].sort((a, b) => a - b)]));
}
