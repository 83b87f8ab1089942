import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClientRegistry,
  WORKER_NUMBER_MAX,
  workerNumberOf,
} from '../../../../src/gateway/clients/client-registry.ts';

const random = { bytes: (count: number) => randomBytes(count) };

describe('the process ID of a client', () => {
  it('tells its worker, and fits the 31 bits that clients read', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: WORKER_NUMBER_MAX }), (number) => {
        const { processId } = new ClientRegistry(random, number).newIdentity('u', 0);
        expect(workerNumberOf(processId)).toBe(number);
        expect(processId).toBeGreaterThan(0);
        expect(processId).toBeLessThan(2 ** 31);
      }),
    );
  });

  it('uses all bits when there is but one process', () => {
    const registry = new ClientRegistry({ bytes: () => new Uint8Array([0xff, 1, 2, 3]) });
    expect(registry.newIdentity('u', 0).processId).toBe(0x7f010203);
  });
});
