/** Reads the summary that pgbench prints. */
import type { Output } from '../ways/programs.ts';

/** Of what pgbench has said on standard error, the end. */
const SAID_LENGTH_MAX = 2000;

export type PgbenchFigures = {
  /** Without the time that connecting took. */
  readonly tps: number;
  readonly latencyMs: number;
  readonly transactions: number;
};

/**
 * The time was over before any transaction was: on a busy machine logging in can take all of it,
 * which counts. pgbench then ends well, and prints no speed.
 */
export class EmptyRunError extends Error {}

/**
 * @throws EmptyRunError when there was none to measure
 * @throws Error when a figure is missing, when a client was aborted, or when transactions failed:
 *   the rest would not be comparable
 */
export function parsePgbenchOutput({ stdout: text, stderr }: Output): PgbenchFigures {
  try {
    return parseSummary(text);
  } catch (error) {
    const said = stderr.trim().slice(-SAID_LENGTH_MAX);
    if (said !== '' && error instanceof Error) error.message += `; it said: ${said}`;
    throw error;
  }
}

function parseSummary(text: string): PgbenchFigures {
  const failed = Number(/^number of failed transactions: (\d+)/m.exec(text)?.[1] ?? 0);
  if (failed > 0) throw new Error(`${failed} transactions of pgbench failed`);
  if (/^Run was aborted/m.test(text)) throw new Error('pgbench aborted its run');
  if (/^number of transactions actually processed: 0(?:\/|$)/m.test(text)) {
    throw new EmptyRunError('pgbench has come to the end of no transaction in its time');
  }
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
