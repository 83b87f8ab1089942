/** Reads the summary that pgbench prints. */

export type PgbenchFigures = {
  /** Without the time that connecting took. */
  readonly tps: number;
  readonly latencyMs: number;
  readonly transactions: number;
};

/**
 * @throws Error when a figure is missing, when a client was aborted, or when transactions failed:
 *   the rest would not be comparable
 */
export function parsePgbenchOutput(text: string): PgbenchFigures {
  const failed = Number(/^number of failed transactions: (\d+)/m.exec(text)?.[1] ?? 0);
  if (failed > 0) throw new Error(`${failed} transactions of pgbench failed`);
  if (/^Run was aborted/m.test(text)) throw new Error('pgbench aborted its run');
  return {
    tps: figure(text, /^tps = ([\d.]+) \((?:without initial connection time|excluding)/m, 'tps'),
    latencyMs: figure(text, /^latency average = ([\d.]+) ms/m, 'latency'),
    transactions: figure(
      text,
      /^number of transactions actually processed: (\d+)/m,
      'number of transactions',
    ),
  };
}

function figure(text: string, pattern: RegExp, what: string): number {
  const value = Number(pattern.exec(text)?.[1]);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`pgbench has printed no ${what}`);
}
