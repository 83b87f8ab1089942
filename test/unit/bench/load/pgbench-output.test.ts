import { describe, expect, it } from 'vitest';
import { EmptyRunError, parsePgbenchOutput } from '../../../../bench/load/pgbench-output.ts';

const timed = `pgbench (15.18 (Debian 15.18-0+deb12u1))
transaction type: <builtin: select only>
scaling factor: 10
query mode: prepared
number of clients: 64
number of threads: 2
maximum number of tries: 1
duration: 5 s
number of transactions actually processed: 81234
number of failed transactions: 0 (0.000%)
latency average = 3.914 ms
initial connection time = 512.001 ms
tps = 16351.528757 (without initial connection time)
`;

const counted = `pgbench (13.9)
transaction type: <builtin: TPC-B (sort of)>
number of transactions per client: 500
number of transactions actually processed: 32000/32000
latency average = 16.411 ms
tps = 3890.000001 (including connections establishing)
tps = 3899.881748 (excluding connections establishing)
`;

const parsed = (stdout: string, stderr = '') => parsePgbenchOutput({ stdout, stderr });

describe('the summary of pgbench', () => {
  it('gives speed, latency and the number of transactions of a timed run', () => {
    expect(parsed(timed)).toEqual({
      tps: 16351.528757,
      latencyMs: 3.914,
      transactions: 81234,
    });
  });

  it('gives the speed without connecting also in the words of older versions', () => {
    expect(parsed(counted)).toEqual({
      tps: 3899.881748,
      latencyMs: 16.411,
      transactions: 32000,
    });
  });

  it('is refused when transactions failed', () => {
    const text = timed.replace('failed transactions: 0', 'failed transactions: 7');
    expect(() => parsed(text)).toThrow('7 transactions of pgbench failed');
  });

  it('is refused when a client was aborted', () => {
    const text = `${timed}Run was aborted; the above results are incomplete.\n`;
    expect(() => parsed(text)).toThrow('aborted');
  });

  it.each(['tps = ', 'latency average', 'number of transactions actually'])(
    'is refused without its line of %s',
    (words) => {
      const text = timed
        .split('\n')
        .filter((line) => !line.startsWith(words))
        .join('\n');
      expect(() => parsed(text)).toThrow('pgbench has printed no');
    },
  );

  it('is refused when nothing was processed, which may be better the next time', () => {
    const empty = timed.replace('81234', '0').replace(/^tps.*\n/m, '');
    expect(() => parsed(empty)).toThrow(EmptyRunError);
    expect(() => parsed(counted.replace('32000/32000', '0/32000'))).toThrow(EmptyRunError);
  });

  it('is refused with what was said beside it', () => {
    const said = 'pgbench: error: connection to server failed\n';
    expect(() => parsed('', said)).toThrow(
      'pgbench has printed no tps; it said: pgbench: error: connection to server failed',
    );
  });
});
