import { describe, expect, it } from 'vitest';
import { addressesOf, checkAddresses } from '../../../../src/embedded/aurora/addresses.ts';

describe('the addresses of a cluster', () => {
  it('are others for each instance, and for what stands before it', () => {
    const all = [1, 2, 16].flatMap((number) => Object.values(addressesOf(number)));
    expect(all).toEqual([
      '127.0.0.21',
      '127.0.1.21',
      '127.0.0.22',
      '127.0.1.22',
      '127.0.0.36',
      '127.0.1.36',
    ]);
  });

  it('are there, or it is said which is not and what to do', async () => {
    await expect(checkAddresses(['127.0.0.1'])).resolves.toBeUndefined();
    // Of the network for documentation (RFC 5737), which no machine has.
    const failure = checkAddresses(['127.0.0.1', '192.0.2.7']);
    await expect(failure).rejects.toMatchObject({ code: 'MR_EMBEDDED_FAILED' });
    await expect(failure).rejects.toThrow(
      /no address 192\.0\.2\.7.*"ip address add 192\.0\.2\.7\/8 dev lo"/,
    );
  });
});
