import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { pki } from '../../../support/pki.ts';
import { type LoginBench, type RawClient, startLoginBench } from './login-bench.ts';
import { ALPN, dialDirect, hangUp, hashSeenBy, logIn } from './tls-client.ts';

const benches: LoginBench[] = [];

async function start(options: Parameters<typeof startLoginBench>[0] = {}): Promise<LoginBench> {
  const bench = await startLoginBench({ tls: 'required', ...options });
  benches.push(bench);
  return bench;
}

afterEach(() => {
  vi.useRealTimers();
  hangUp();
  for (const bench of benches.splice(0)) bench.close();
});

const shown = { cert: pki('client.crt'), key: pki('client.key') };
const REQUIRED = '28000 connection requires a valid client certificate';

const isResumed = ({ socket }: RawClient): boolean => (socket as TLSSocket).isSessionReused();

/** A session that the listener has given to a client that was let in. */
async function sessionFrom(
  { port }: LoginBench,
  options: ConnectionOptions,
  user = 'joe',
): Promise<Buffer> {
  const sessions: Buffer[] = [];
  const client = await dialDirect(port, options, (session) => sessions.push(session));
  expect(await logIn(client, 'SCRAM-SHA-256', 'none', 's3cret', user)).toBe('in');
  while (sessions.length === 0) await sleep(5);
  client.socket.destroy();
  return sessions.at(-1) as Buffer;
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s', (version) => {
  const only = { ...ALPN, minVersion: version, maxVersion: version };

  it('is resumed, and the login is the same', async () => {
    const bench = await start();
    const session = await sessionFrom(bench, only);
    const again = await dialDirect(bench.port, { ...only, session });
    expect(isResumed(again)).toBe(true);
    expect(await logIn(again, 'SCRAM-SHA-256', 'none')).toBe('in');
    const wrong = await dialDirect(bench.port, { ...only, session });
    expect(await logIn(wrong, 'SCRAM-SHA-256', 'none', 'nope')).toMatch(/^28P01/);
  });

  it('still binds the password to the certificate', async () => {
    const bench = await start();
    const session = await sessionFrom(bench, only);
    // Node shows a client no certificate when it resumes: it must know it from before.
    const seen = hashSeenBy(await dialDirect(bench.port, only));
    const bound = await dialDirect(bench.port, { ...only, session });
    expect(isResumed(bound)).toBe(true);
    expect(await logIn(bound, 'SCRAM-SHA-256-PLUS', seen)).toBe('in');
    const other = await dialDirect(bench.port, { ...only, session });
    expect(await logIn(other, 'SCRAM-SHA-256-PLUS', Buffer.alloc(32))).toBe(
      '28000 SCRAM channel binding check failed',
    );
  });

  it('still has the certificate that the client has shown', async () => {
    const bench = await start({ clientCert: 'verify-full', users: ['tls_client'] });
    const session = await sessionFrom(bench, { ...only, ...shown }, 'tls_client');
    const again = await dialDirect(bench.port, { ...only, session });
    expect(isResumed(again)).toBe(true);
    expect(await logIn(again, 'SCRAM-SHA-256', 'none', 's3cret', 'tls_client')).toBe('in');
    const joe = await dialDirect(bench.port, { ...only, session });
    expect(await logIn(joe, 'SCRAM-SHA-256', 'none')).toMatch(/^28P01/);
  });

  it('does not make up for a certificate that was not shown, or is distrusted', async () => {
    const stranger = {
      cert: pki('signatures/ecdsa-sha512.crt'),
      key: pki('signatures/ecdsa-sha512.key'),
    };
    for (const certificate of [{}, stranger]) {
      const bench = await start({ clientCert: 'verify-ca' });
      const sessions: Buffer[] = [];
      const options = { ...only, ...certificate };
      const first = await dialDirect(bench.port, options, (session) => sessions.push(session));
      expect(await logIn(first, 'SCRAM-SHA-256', 'none')).toBe(REQUIRED);
      const session = sessions.at(-1);
      const again = await dialDirect(bench.port, { ...only, ...(session ? { session } : {}) });
      expect(await logIn(again, 'SCRAM-SHA-256', 'none')).toBe(REQUIRED);
    }
  });

  it('does not outlive the certificate of the client', async () => {
    const bench = await start({ clientCert: 'verify-ca' });
    const session = await sessionFrom(bench, { ...only, ...shown });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2121-01-01T00:00:00Z') });
    const again = await dialDirect(bench.port, { ...only, session });
    expect(isResumed(again)).toBe(true);
    expect(await logIn(again, 'SCRAM-SHA-256', 'none')).toBe(REQUIRED);
    expect(bench.logged.join('\n')).toContain('CERT_HAS_EXPIRED');
  });

  it('is of no use at another listener, even one with the same certificate', async () => {
    const session = await sessionFrom(await start(), only);
    const { port } = await start();
    const again = await dialDirect(port, { ...only, session });
    expect(isResumed(again)).toBe(false);
    expect(await logIn(again, 'SCRAM-SHA-256', 'none')).toBe('in');
  });
});
