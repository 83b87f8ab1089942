import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { OriginConfig } from '../../../src/config/model.ts';
import { connectOrigin } from '../../../src/origin/connect.ts';
import {
  decodeSaslInitialResponse,
  encodeAuthenticationSasl,
} from '../../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { pki } from '../../support/pki.ts';
import { type FakeServer, fakeServer, OPTIONS, originAt, WELCOME } from './fake-server.ts';

type Version = 'TLSv1.2' | 'TLSv1.3';

const servers: FakeServer[] = [];

afterEach(() => {
  vi.useRealTimers();
  for (const server of servers.splice(0)) server.close();
});

const identity = { cert: pki('server.crt'), key: pki('server.key') };

const refusal = encodeErrorResponse({
  severity: 'FATAL',
  sqlstate: '28P01',
  message: 'no',
  detail: '',
  hint: '',
});

/** A server that hands out sessions, and notes for each connection whether it resumed one. */
async function resumingServer(
  version: Version,
  serve: (secure: TLSSocket) => void = (secure) => secure.write(WELCOME),
) {
  const reused: boolean[] = [];
  const state: { secureContext: SecureContext } = {
    secureContext: createSecureContext({ ...identity, minVersion: version, maxVersion: version }),
  };
  const server = await fakeServer((socket: Socket) => {
    socket.once('data', () => {
      socket.write('S');
      const secure = new TLSSocket(socket, { isServer: true, ...state });
      secure.on('error', () => {});
      secure.once('data', () => {
        reused.push(secure.isSessionReused());
        serve(secure);
      });
    });
  });
  servers.push(server);
  return { ...server, reused, state };
}

async function connectTo(origin: OriginConfig): Promise<void> {
  const { socket } = await connectOrigin(origin, OPTIONS);
  socket.destroy();
}

const verifying = { sslmode: 'verify-full', ca: pki('ca.crt') } as const;

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s with an origin', (version) => {
  it('is resumed by the next connections of the same configuration', async () => {
    const { port, reused } = await resumingServer(version);
    const origin = originAt(port, verifying);
    for (let count = 0; count < 3; count++) await connectTo(origin);
    expect(reused).toEqual([false, true, true]);
  });

  it('is not offered by another configuration, even for the same server', async () => {
    const { port, reused } = await resumingServer(version);
    await connectTo(originAt(port, verifying));
    await connectTo(originAt(port, verifying));
    expect(reused).toEqual([false, false]);
  });

  it('is dropped when a handshake or a login fails', async () => {
    let refuses = false;
    const { port, reused, state } = await resumingServer(version, (secure) =>
      refuses ? secure.end(refusal) : secure.write(WELCOME),
    );
    const origin = originAt(port, verifying);
    await connectTo(origin);
    refuses = true;
    await expect(connectTo(origin)).rejects.toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    refuses = false;
    await connectTo(origin);
    expect(reused).toEqual([false, true, false]);
    const good = state.secureContext;
    const [cert, key] = [pki('other-name.crt'), pki('other-name.key')];
    state.secureContext = createSecureContext({ cert, key });
    await expect(connectTo(origin)).rejects.toMatchObject({ code: 'MR_ORIGIN_TLS' });
    state.secureContext = good;
    await connectTo(origin);
    expect(reused).toEqual([false, true, false, false]);
  });

  it('is verified anew after an hour, however often it was resumed', async () => {
    const { port, reused } = await resumingServer(version);
    const origin = originAt(port, verifying);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    for (let count = 0; count < 4; count++) {
      await connectTo(origin);
      vi.advanceTimersByTime(25 * 60_000);
    }
    expect(reused).toEqual([false, true, true, false]);
  });

  it('still binds the password to the certificate of the server', async () => {
    const bindings: string[] = [];
    let asks = false;
    const { port, reused } = await resumingServer(version, (secure) => {
      if (!asks) return secure.write(WELCOME);
      secure.write(encodeAuthenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']));
      return secure.once('data', (chunk) => {
        bindings.push(decodeSaslInitialResponse(chunk.subarray(5)).mechanism);
        secure.end(refusal);
      });
    });
    const origin = originAt(port, { ...verifying, channelBinding: 'prefer' });
    await connectTo(origin);
    asks = true;
    await expect(connectTo(origin)).rejects.toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    expect(reused).toEqual([false, true]);
    expect(bindings).toEqual(['SCRAM-SHA-256-PLUS']);
  });
});
