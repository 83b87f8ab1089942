import type { TLSSocket } from 'node:tls';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import type { Admitted } from '../../../../src/gateway/login/login-context.ts';
import { encodeSslRequest, encodeStartup } from '../../../../src/protocol/startup.ts';
import { pki } from '../../../support/pki.ts';
import { encodeBackendKeyData, encodeReadyForQuery } from '../../../support/server-messages.ts';
import { type LoginBench, RawClient, startLoginBench } from './login-bench.ts';
import { ALPN, dialDirect, hangUp, hashSeenBy, logIn } from './tls-client.ts';

let bench: LoginBench | null = null;

async function start(options: Parameters<typeof startLoginBench>[0] = {}): Promise<LoginBench> {
  bench = await startLoginBench({ tls: 'required', ...options });
  return bench;
}

afterEach(() => {
  hangUp();
  bench?.close();
  bench = null;
});

const JOE: [string, string][] = [
  ['user', 'joe'],
  ['database', 'shop'],
];

describe('TLS without a request', () => {
  it('is taken with the protocol named by ALPN, where TLS is optional and where required', async () => {
    for (const tls of ['optional', 'required'] as const) {
      const { port, admitted, close } = await start({ tls });
      const joe = await dialDirect(port, ALPN);
      expect((joe.socket as TLSSocket).alpnProtocol).toBe('postgresql');
      expect(await logIn(joe, 'SCRAM-SHA-256', 'none')).toBe('in');
      expect(admitted[0]?.socket).toHaveProperty('encrypted', true);
      close();
    }
  });

  it('is taken in pieces of one byte', async () => {
    const { port } = await start();
    const { createServer, connect } = await import('node:net');
    // A relay that hands on every byte by itself.
    const relay = createServer((from) => {
      const to = connect({ port, host: '127.0.0.1', noDelay: true });
      from.on('data', (chunk) => {
        for (const byte of chunk) to.write(Buffer.from([byte]));
      });
      to.pipe(from);
      from.on('error', () => to.destroy());
      to.on('error', () => from.destroy());
    });
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
    const { port: relayPort } = relay.address() as { port: number };
    const joe = await dialDirect(relayPort, ALPN);
    expect(await logIn(joe, 'SCRAM-SHA-256', 'none')).toBe('in');
    relay.close();
  });

  it('is closed without a word when no protocol is named', async () => {
    const { port, admitted, failures } = await start();
    const joe = await dialDirect(port, {});
    joe.send(encodeStartup(JOE));
    expect(await joe.untilEnd()).toBe('');
    expect(failures.map(({ code }) => code)).toEqual(['MR_TLS_HANDSHAKE']);
    expect(admitted).toHaveLength(0);
  });

  it('is refused in the handshake when another protocol is named', async () => {
    const { port, failures } = await start();
    await expect(dialDirect(port, { ALPNProtocols: ['h2', 'http/1.1'] })).rejects.toThrow(
      /no application protocol/,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(failures.map(({ code }) => code)).toEqual(['MR_TLS_HANDSHAKE']);
  });

  it('is refused where TLS was asked for and refused before, and inside TLS', async () => {
    const { port, failures } = await start({ tls: 'optional' });
    const gss = new RawClient(port);
    gss.send(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]));
    await gss.take(1);
    gss.send('\x16\x03\x01\x02\x00\x01\x00');
    expect(await gss.untilEnd()).toBe('');
    const joe = await dialDirect(port, ALPN);
    joe.send(encodeSslRequest());
    expect((await joe.message()).code).toBe('E');
    expect(failures.map(({ code }) => code)).toEqual(['MR_NOT_POSTGRES', 'MR_PROTOCOL_VIOLATION']);
  });
});

describe('channel binding', () => {
  it('is offered over TLS first, and not without', async () => {
    const { port } = await start({ tls: 'optional' });
    const secure = await dialDirect(port, ALPN);
    secure.send(encodeStartup(JOE));
    expect((await secure.message()).body.toString('latin1', 4)).toBe(
      'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0',
    );
    const plain = new RawClient(port);
    plain.send(encodeStartup(JOE));
    expect((await plain.message()).body.toString('latin1', 4)).toBe('SCRAM-SHA-256\0\0');
    plain.socket.destroy();
  });

  it('lets in who sees our certificate', async () => {
    const { port } = await start();
    const joe = await dialDirect(port, ALPN);
    expect(await logIn(joe, 'SCRAM-SHA-256-PLUS', hashSeenBy(joe))).toBe('in');
    const wrong = await dialDirect(port, ALPN);
    expect(await logIn(wrong, 'SCRAM-SHA-256-PLUS', hashSeenBy(wrong), 'nope')).toMatch(/^28P01/);
  });

  it('turns away who sees another, or was not shown the offer', async () => {
    const { port } = await start();
    const other = await dialDirect(port, ALPN);
    expect(await logIn(other, 'SCRAM-SHA-256-PLUS', Buffer.alloc(32))).toBe(
      '28000 SCRAM channel binding check failed',
    );
    const stripped = await dialDirect(port, ALPN);
    expect(await logIn(stripped, 'SCRAM-SHA-256', 'unoffered')).toBe(
      '28000 SCRAM channel binding negotiation error',
    );
  });

  it('is not offered with a certificate that allows none', async () => {
    const { port } = await start({ certificate: 'signatures/ed25519' });
    const joe = await dialDirect(port, ALPN);
    expect(await logIn(joe, 'SCRAM-SHA-256', 'unoffered')).toBe('in');
  });

  it.each(['server', 'signatures/rsa-sha384', 'signatures/ecdsa-sha512'])(
    'is done by the pg driver with the certificate %s',
    async (certificate) => {
      const finish = (admitted: Admitted): void => {
        const welcome = [encodeBackendKeyData(1, Buffer.alloc(4)), encodeReadyForQuery(0x49)];
        admitted.socket.write(Buffer.concat(welcome));
        admitted.socket.on('end', () => admitted.socket.end());
        admitted.socket.resume();
      };
      const { port } = await start({ certificate, onAdmitted: finish });
      const options: pg.ClientConfig & { enableChannelBinding: boolean } = {
        host: '127.0.0.1',
        port,
        user: 'joe',
        database: 'shop',
        password: 's3cret',
        ssl: { rejectUnauthorized: false },
        enableChannelBinding: true,
      };
      const driver = new pg.Client(options);
      await driver.connect();
      await driver.end();
    },
  );
});

describe('certificates of clients', () => {
  const shown = { cert: pki('client.crt'), key: pki('client.key') };
  // Trusted by nobody here.
  const stranger = {
    cert: pki('signatures/ecdsa-sha512.crt'),
    key: pki('signatures/ecdsa-sha512.key'),
  };
  const attempt = async (port: number, certificate: object, user = 'joe'): Promise<string> => {
    const joe = await dialDirect(port, { ...ALPN, ...certificate });
    return logIn(joe, 'SCRAM-SHA-256', 'none', 's3cret', user);
  };
  const REQUIRED = '28000 connection requires a valid client certificate';

  it('are asked for by verify-ca, beside the password', async () => {
    const { port, logged } = await start({ clientCert: 'verify-ca' });
    expect(await attempt(port, shown)).toBe('in');
    expect(await attempt(port, {})).toBe(REQUIRED);
    expect(await attempt(port, stranger)).toBe(REQUIRED);
    expect(logged.join('\n')).toContain('none was shown');
    expect(logged.join('\n')).toMatch(/SELF_SIGNED|UNABLE_TO/);
    const wrong = await dialDirect(port, { ...ALPN, ...shown });
    expect(await logIn(wrong, 'SCRAM-SHA-256', 'none', 'nope')).toMatch(/^28P01/);
  });

  it('must name the user for verify-full', async () => {
    const { port, logged } = await start({ clientCert: 'verify-full', users: ['tls_client'] });
    expect(await attempt(port, shown, 'tls_client')).toBe('in');
    expect(await attempt(port, shown, 'joe')).toBe(
      '28P01 password authentication failed for user "joe"',
    );
    expect(logged.join('\n')).toContain('the common name of the certificate');
    expect(await attempt(port, {}, 'tls_client')).toBe(REQUIRED);
  });

  it('are not asked for by others', async () => {
    const { port } = await start();
    expect(await attempt(port, stranger)).toBe('in');
  });
});
