/** Everything that is told of a measurement, with its unit. */

type FigureInfo = {
  /** With the unit that it is shown in. */
  readonly title: string;
  /** From what is kept to what is shown. */
  readonly scale: number;
  readonly digits: number;
  readonly isMoreBetter: boolean;
};

const less = (title: string, digits: number): FigureInfo => ({
  title,
  scale: 1,
  digits,
  isMoreBetter: false,
});

export const figureTable = {
  tps: { title: 'k/s', scale: 0.001, digits: 1, isMoreBetter: true },
  latencyMs: less('mean, ms', 2),
  p50Ms: less('p50, ms', 2),
  p99Ms: less('p99, ms', 2),
  maxMs: less('max, ms', 1),
  /** Processor time for one query, transaction or login. */
  driverUs: less('pgbench, µs', 1),
  poolerUs: less('pooler, µs', 1),
  postgresUs: less('PostgreSQL, µs', 1),
  sumUs: less('sum, µs', 1),
  loginMs: less('processor time of a login, ms', 3),
  clients: less('clients', 0),
  clientKiB: less('KiB for each client', 1),
  growthMiB: less('growth, MiB', 1),
  gapMs: less('longest time without a write, ms', 0),
  factsUs: less('µs', 3),
} as const satisfies Record<string, FigureInfo>;

export type FigureName = keyof typeof figureTable;

/** What one measurement has given. */
export type Figures = Readonly<Partial<Record<FigureName, number>>>;

export const figureNames = Object.keys(figureTable) as readonly FigureName[];
