import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { partsOf, sumOf } from '../../../../bench/load/pgbench.ts';
import { parsePgbenchLog, takeLogs } from '../../../../bench/load/pgbench-log.ts';

describe('the log of single transactions', () => {
  it('tells the time of each, in its third column', () => {
    const text = '0 199 2241 0 1175850568 995598\n1 200 2465 0 1175850568 998079\n';
    expect(parsePgbenchLog(text)).toEqual([2241, 2465]);
    expect(parsePgbenchLog('')).toEqual([]);
  });

  it('has no time of one that was skipped or has failed', () => {
    expect(parsePgbenchLog('0 1 skipped 0 1 2\n0 2 failed 0 1 2\n0 3 7 0 1 2\n')).toEqual([7]);
  });

  it('is taken from all threads of one run, and from no other', () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-log-'));
    writeFileSync(join(folder, '3-log.812'), '0 1 10 0 1 2\n');
    writeFileSync(join(folder, '3-log.812.1'), '1 1 20 0 1 2\n');
    writeFileSync(join(folder, '33-log.812'), '1 1 30 0 1 2\n');
    expect(takeLogs(folder, '3-log').sort()).toEqual([10, 20]);
    expect(readdirSync(folder)).toEqual(['33-log.812']);
    rmSync(folder, { recursive: true });
  });
});

describe('a load of several pgbench', () => {
  const load = { scripts: [], mode: 'simple', clients: 64, unit: 'query' } as const;

  it('is one for clients as they come', () => {
    expect(partsOf({ ...load, crowd: null })).toEqual([{ clients: 64, env: {} }]);
  });

  it('gives a crowd its names and time zones', () => {
    const parts = partsOf({ ...load, crowd: { names: 8, zones: 3 } });
    expect(parts.reduce((sum, { clients }) => sum + clients, 0)).toBe(64);
    expect(new Set(parts.map(({ env }) => env['PGAPPNAME'])).size).toBe(8);
    expect(new Set(parts.map(({ env }) => env['PGTZ'])).size).toBe(3);
    const alike = partsOf({ ...load, crowd: { names: 1, zones: 1 } });
    expect(alike).toHaveLength(parts.length);
    expect(new Set(alike.map(({ env }) => JSON.stringify(env))).size).toBe(1);
  });

  it('is as fast as all of them together', () => {
    const parts = [
      { tps: 100, latencyMs: 2, transactions: 300 },
      { tps: 50, latencyMs: 4, transactions: 100 },
    ];
    expect(sumOf(parts)).toEqual({ tps: 150, latencyMs: 2.5, transactions: 400 });
  });
});
