import { createHash, X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endPointHash } from '../../../src/auth/certificate-hash.ts';
import { pki } from '../../support/pki.ts';

const der = (name: string): Buffer => new X509Certificate(pki(`${name}.crt`)).raw;

describe('the channel binding of a certificate', () => {
  it.each([
    ['server', 'sha256'],
    ['signatures/rsa-sha1', 'sha256'],
    ['signatures/rsa-sha384', 'sha384'],
    ['signatures/rsa-pss-sha1', 'sha256'],
    ['signatures/rsa-pss-sha512', 'sha512'],
    ['signatures/ecdsa-sha512', 'sha512'],
  ])('of %s is by %s', (name, algorithm) => {
    const certificate = der(name);
    const expected = createHash(algorithm).update(certificate).digest('hex');
    expect(endPointHash(certificate)?.toString('hex')).toBe(expected);
  });

  it('is not there when the signature names no hash function', () => {
    expect(endPointHash(der('signatures/ed25519'))).toBeNull();
  });

  it('is not there, or of some hash, for bytes that are no certificate', () => {
    expect(endPointHash(Buffer.alloc(0))).toBeNull();
    expect(endPointHash(Buffer.from([0x30, 0x84, 0xff, 0xff, 0xff, 0xff]))).toBeNull();
    const real = der('signatures/rsa-pss-sha512');
    fc.assert(
      fc.property(fc.nat(real.length - 1), fc.nat(255), fc.nat(real.length), (at, byte, size) => {
        const broken = Buffer.from(real);
        broken[at] = byte;
        expect(endPointHash(broken.subarray(0, size))?.length ?? 32).toBeGreaterThanOrEqual(28);
      }),
    );
  });
});
