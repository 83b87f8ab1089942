import { describe, expect, it } from 'vitest';
import { ConnectionQuota, DSQL_LIMITS } from '../../../../src/dsql/login/connection-quota.ts';

const refusal = (work: () => void) => {
  try {
    work();
    return null;
  } catch (error) {
    const { sqlstate, message } = error as { sqlstate: string; message: string };
    return `${sqlstate} ${message}`;
  }
};

describe('the quotas of connections', () => {
  // dsql §2.19
  it('are those of Aurora DSQL unless told', () => {
    expect(DSQL_LIMITS).toEqual({ connectionsMax: 10_000, perSecond: 100, burst: 1_000 });
  });

  // dsql §1.38
  it('take as many at a time as they say, and the next when one has left', () => {
    const quota = new ConnectionQuota({ ...DSQL_LIMITS, connectionsMax: 2 }, 0);
    quota.enter(0);
    quota.enter(0);
    const words = '53300 Unable to accept connection, too many open connections.';
    expect(refusal(() => quota.enter(0))).toBe(words);
    expect(quota.open).toBe(2);
    quota.leave();
    expect(refusal(() => quota.enter(0))).toBeNull();
  });

  // dsql §1.39, §2.19
  it('take a burst, then as many a second as they say', () => {
    const limits = { connectionsMax: 10_000, perSecond: 100, burst: 1_000 };
    const quota = new ConnectionQuota(limits, 0);
    const come = (nowMs: number): number => {
      let count = 0;
      while (refusal(() => quota.enter(nowMs)) === null) count++;
      return count;
    };
    expect(come(0)).toBe(1_000);
    const words = '53400 Unable to accept connection, rate exceeded.';
    expect(refusal(() => quota.enter(0))).toBe(words);
    expect(come(1_000)).toBe(100);
    expect(come(500_000)).toBe(1_000);
  });
});
