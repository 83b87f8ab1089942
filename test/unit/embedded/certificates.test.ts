import { createPrivateKey, X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../../src/embedded/certificates.ts';

describe('the certificates of a cluster', () => {
  it('are signed by its authority, for the names that they are asked for', () => {
    const authority = new CertificateAuthority('root of a test');
    const root = new X509Certificate(authority.cert);
    const names = ['one.example.com', 'two.example.com'] as const;
    const { cert, key } = authority.issue(names);
    const leaf = new X509Certificate(cert);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey)).toBe(true);
    expect(leaf.ca).toBe(false);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.checkIssued(root)).toBe(true);
    expect(leaf.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(leaf.subjectAltName).toBe('DNS:one.example.com, DNS:two.example.com');
    expect(leaf.subject).toBe('CN=one.example.com');
    expect(leaf.checkHost('three.example.com')).toBeUndefined();
    const other = new X509Certificate(new CertificateAuthority('root of a test').cert);
    expect(leaf.verify(other.publicKey)).toBe(false);
  });

  it('differ from each other by their numbers, and are valid now', () => {
    const authority = new CertificateAuthority('root of a test');
    const leaves = Array.from({ length: 20 }, () => {
      return new X509Certificate(authority.issue(['one.example.com']).cert);
    });
    expect(new Set(leaves.map(({ serialNumber }) => serialNumber)).size).toBe(20);
    for (const { validFrom, validTo } of leaves) {
      expect(Date.parse(validFrom)).toBeLessThan(Date.now());
      expect(Date.parse(validTo)).toBeGreaterThan(Date.now() + 86_400_000);
    }
  });

  it('may be for names that are longer than a common name can be', () => {
    const long = `${'a'.repeat(60)}.cluster-ro-abc123def456.us-east-1.rds.amazonaws.com`;
    const { cert } = new CertificateAuthority('root').issue([long]);
    expect(new X509Certificate(cert).checkHost(long)).toBe(long);
  });
});
