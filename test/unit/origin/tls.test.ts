import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayError } from '../../../src/base/errors.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { serverTls } from '../../../src/net/tls-accept.ts';
import { connectOrigin, requestCancel } from '../../../src/origin/connect.ts';
import {
  decodePassword,
  decodeSaslInitialResponse,
  encodeAuthenticationCleartextPassword,
  encodeAuthenticationSasl,
} from '../../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { pki } from '../../support/pki.ts';
import {
  answering,
  type FakeServer,
  fakeServer,
  latin,
  OPTIONS,
  offeringTls,
  originAt,
  WELCOME,
} from './fake-server.ts';

const servers: FakeServer[] = [];

async function serve(how: (socket: Socket, number: number) => void): Promise<FakeServer> {
  const server = await fakeServer(how);
  servers.push(server);
  return server;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** `tls` or `plain` when it connected, else the code of the error. */
async function outcome(port: number, changes: Partial<OriginConfig>): Promise<string> {
  try {
    const link = await connectOrigin(originAt(port, changes), OPTIONS);
    link.socket.destroy();
    expect('encrypted' in link.socket).toBe(link.encrypted);
    return link.encrypted ? 'tls' : 'plain';
  } catch (error) {
    return (error as GatewayError).code;
  }
}

const welcoming = (socket: Socket): void => {
  socket.once('data', () => socket.write(WELCOME));
};

const withTls = offeringTls('server', welcoming);

const withoutTls = (socket: Socket): void => {
  socket.once('data', (chunk) => {
    const isSslRequest = chunk.length === 8;
    socket.write(isSslRequest ? 'N' : WELCOME);
    if (isSslRequest) socket.once('data', () => socket.write(WELCOME));
  });
};

const refusal = encodeErrorResponse({
  severity: 'FATAL',
  sqlstate: '28000',
  message: 'no pg_hba.conf entry',
  detail: '',
  hint: '',
});

const ca = pki('ca.crt');
const otherCa = pki('other-ca.crt');

describe('sslmode', () => {
  it('against a server with TLS', async () => {
    const { port } = await serve(withTls);
    expect(await outcome(port, { sslmode: 'prefer' })).toBe('tls');
    expect(await outcome(port, { sslmode: 'require' })).toBe('tls');
  });

  it('against a server without TLS', async () => {
    const { port, sockets } = await serve(withoutTls);
    for (const sslmode of ['disable', 'allow', 'prefer'] as const) {
      const before = sockets.length;
      expect(await outcome(port, { sslmode }), sslmode).toBe('plain');
      expect(sockets.length - before, 'connections').toBe(1);
    }
    for (const sslmode of ['require', 'verify-ca', 'verify-full'] as const) {
      expect(await outcome(port, { sslmode, ca }), sslmode).toBe('MR_ORIGIN_TLS');
    }
  });

  it('checks the chain whenever a CA is given, and the name for verify-full only', async () => {
    const { port } = await serve(withTls);
    const { port: otherName } = await serve(offeringTls('other-name', welcoming));
    const table: [number, Partial<OriginConfig>, string][] = [
      [port, { sslmode: 'require', ca }, 'tls'],
      [port, { sslmode: 'require', ca: otherCa }, 'MR_ORIGIN_TLS'],
      [port, { sslmode: 'verify-ca', ca }, 'tls'],
      [port, { sslmode: 'verify-ca', ca: otherCa }, 'MR_ORIGIN_TLS'],
      [port, { sslmode: 'verify-ca' }, 'MR_ORIGIN_TLS'],
      [port, { sslmode: 'verify-full', ca }, 'tls'],
      [port, { sslmode: 'verify-full', ca, host: 'localhost' }, 'tls'],
      [port, { sslmode: 'verify-full', ca: otherCa }, 'MR_ORIGIN_TLS'],
      [port, { sslmode: 'verify-full' }, 'MR_ORIGIN_TLS'],
      [otherName, { sslmode: 'require' }, 'tls'],
      [otherName, { sslmode: 'verify-ca', ca }, 'tls'],
      [otherName, { sslmode: 'verify-full', ca }, 'MR_ORIGIN_TLS'],
      [otherName, { sslmode: 'verify-full', ca, host: 'localhost' }, 'MR_ORIGIN_TLS'],
    ];
    for (const [at, changes, expected] of table) {
      const { sslmode, host = 'IP' } = changes;
      expect(await outcome(at, changes), `${sslmode} ${host}`).toBe(expected);
    }
  });

  it('sends the name along for a name, and nothing for an IP address', async () => {
    const names: unknown[] = [];
    const { port } = await serve(
      offeringTls('server', (secure) => {
        secure.on('secure', () =>
          names.push((secure as TLSSocket & { servername: unknown }).servername),
        );
        welcoming(secure);
      }),
    );
    await outcome(port, { sslmode: 'require', host: 'localhost' });
    await outcome(port, { sslmode: 'require', host: '127.0.0.1' });
    expect(names).toEqual(['localhost', false]);
  });

  it('shows its own certificate to a server that asks for one', async () => {
    const subjects: unknown[] = [];
    const { port } = await serve(
      offeringTls(
        'server',
        (secure) => {
          secure.on('secure', () => subjects.push(secure.getPeerCertificate().subject?.CN));
          welcoming(secure);
        },
        { requestCert: true },
      ),
    );
    const certificate = { clientCert: pki('client.crt'), clientKey: pki('client.key') };
    await outcome(port, { sslmode: 'require', ...certificate });
    await outcome(port, { sslmode: 'require' });
    expect(subjects).toEqual(['tls_client', undefined]);
  });

  it('is an error of the configuration when its PEM texts are none', async () => {
    const { port } = await serve(withTls);
    expect(await outcome(port, { sslmode: 'verify-ca', ca, clientKey: 'x' })).toBe('MR_ORIGIN_TLS');
  });

  it('is verified for another name than the host, and asked for it, when one is given', async () => {
    const asked: unknown[] = [];
    const { port } = await serve(
      offeringTls('other-name', (secure) => {
        secure.on('secure', () => asked.push(Reflect.get(secure, 'servername')));
        welcoming(secure);
      }),
    );
    const verified = { sslmode: 'verify-full', ca } as const;
    expect(await outcome(port, { ...verified, tlsServerName: 'elsewhere.test' })).toBe('tls');
    expect(await outcome(port, { ...verified, tlsServerName: 'another.test' })).toBe(
      'MR_ORIGIN_TLS',
    );
    expect(await outcome(port, verified)).toBe('MR_ORIGIN_TLS');
    expect(asked[0]).toBe('elsewhere.test');
  });

  it('refuses TLS before 1.2', async () => {
    const secureContext = createSecureContext({
      cert: pki('server.crt'),
      key: pki('server.key'),
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const { port } = await serve(offeringTls('server', welcoming, { secureContext }));
    expect(await outcome(port, { sslmode: 'require' })).toBe('MR_ORIGIN_TLS');
  });

  it('sends a cleartext password inside TLS', async () => {
    const passwords: string[] = [];
    const { port } = await serve(
      offeringTls('server', (secure) => {
        secure.once('data', () => {
          secure.write(encodeAuthenticationCleartextPassword());
          secure.once('data', (chunk) => {
            passwords.push(decodePassword(chunk.subarray(5)));
            secure.write(WELCOME);
          });
        });
      }),
    );
    expect(await outcome(port, { sslmode: 'require' })).toBe('tls');
    expect(passwords).toEqual(['s3cret']);
  });
});

describe('sslnegotiation=direct', () => {
  const direct = { sslmode: 'require', sslnegotiation: 'direct' } as const;
  const serving = (options: object) => (socket: Socket) => {
    const { secureContext } = serverTls({
      cert: pki('server.crt'),
      key: pki('server.key'),
      clientCa: null,
    });
    const secure = new TLSSocket(socket, { isServer: true, secureContext, ...options });
    secure.on('error', () => {});
    welcoming(secure);
  };

  it('begins with TLS and names the protocol', async () => {
    const { port, sockets } = await serve(serving({ ALPNProtocols: ['postgresql'] }));
    expect(await outcome(port, direct)).toBe('tls');
    expect(sockets).toHaveLength(1);
  });

  it('refuses a server that does not answer to that name, or not in TLS', async () => {
    const silent = await serve(serving({}));
    expect(await outcome(silent.port, direct)).toBe('MR_ORIGIN_TLS');
    const other = await serve(serving({ ALPNProtocols: ['h2'] }));
    expect(await outcome(other.port, direct)).toBe('MR_ORIGIN_TLS');
    const old = await serve((socket) => socket.once('data', () => socket.end(refusal)));
    expect(await outcome(old.port, direct)).toBe('MR_ORIGIN_TLS');
  });
});

describe('channel binding', () => {
  /** Offers these mechanisms in TLS; what the client chooses and says first is kept. */
  async function chosen(
    mechanisms: readonly string[],
    changes: Partial<OriginConfig>,
    certificate = 'server',
  ): Promise<string> {
    let answer = '';
    const { port } = await serve(
      offeringTls(certificate, (secure) => {
        secure.once('data', () => {
          secure.write(encodeAuthenticationSasl(mechanisms));
          secure.once('data', (chunk) => {
            const { mechanism, data } = decodeSaslInitialResponse(chunk.subarray(5));
            answer = `${mechanism} ${data.toString('latin1').split(',n=')[0]}`;
            secure.end(refusal);
          });
        });
      }),
    );
    const error = await connectOrigin(originAt(port, { sslmode: 'require', ...changes }), OPTIONS)
      .then(() => null)
      .catch((caught: GatewayError) => caught);
    return answer === '' ? (error?.detail ?? '') : answer;
  }

  const PLUS = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'];
  const PLAIN = ['SCRAM-SHA-256'];

  it('is chosen as libpq chooses it', async () => {
    const bound = 'SCRAM-SHA-256-PLUS p=tls-server-end-point,';
    expect(await chosen(PLUS, {})).toBe(bound);
    expect(await chosen(PLUS, { channelBinding: 'require' })).toBe(bound);
    expect(await chosen(PLUS, { channelBinding: 'disable' })).toBe('SCRAM-SHA-256 n,');
    expect(await chosen(PLAIN, {})).toBe('SCRAM-SHA-256 y,');
    expect(await chosen(PLAIN, { channelBinding: 'disable' })).toBe('SCRAM-SHA-256 n,');
    expect(await chosen(PLAIN, { channelBinding: 'require' })).toBe(
      'channel binding is required, and the server does not offer it',
    );
  });

  it('is left out for a certificate that allows none, unless it is required', async () => {
    const ed25519 = 'signatures/ed25519';
    expect(await chosen(PLUS, {}, ed25519)).toBe('SCRAM-SHA-256 n,');
    expect(await chosen(PLUS, { channelBinding: 'require' }, ed25519)).toBe(
      'channel binding is required, and the connection allows none',
    );
  });

  it('is not believed where it is required and the server asks for nothing', async () => {
    const { port } = await serve(withTls);
    expect(await outcome(port, { sslmode: 'require', channelBinding: 'require' })).toBe(
      'MR_ORIGIN_AUTH',
    );
  });
});

describe('the second attempt', () => {
  const refuseInTls = offeringTls('server', (secure) =>
    secure.once('data', () => secure.end(refusal)),
  );

  it('of prefer is without TLS, when the server refuses or breaks TLS', async () => {
    const refuses = await serve((socket, number) =>
      number === 1 ? refuseInTls(socket) : welcoming(socket),
    );
    expect(await outcome(refuses.port, { sslmode: 'prefer' })).toBe('plain');
    const breaks = await serve((socket, number) =>
      number === 1 ? socket.once('data', () => socket.end('S')) : welcoming(socket),
    );
    expect(await outcome(breaks.port, { sslmode: 'prefer' })).toBe('plain');
    const errs = await serve((socket, number) =>
      number === 1 ? answering(refusal)(socket) : welcoming(socket),
    );
    expect(await outcome(errs.port, { sslmode: 'prefer' })).toBe('plain');
  });

  it('of allow is with TLS, when the server refuses without', async () => {
    const { port } = await serve((socket, number) =>
      number === 1 ? answering(refusal)(socket) : withTls(socket),
    );
    expect(await outcome(port, { sslmode: 'allow' })).toBe('tls');
  });

  it('is the last one, and what the server said inside TLS is reported', async () => {
    const other = encodeErrorResponse({
      severity: 'FATAL',
      sqlstate: '28P01',
      message: 'wrong',
      detail: '',
      hint: '',
    });
    const inTls = offeringTls('server', (secure) => secure.once('data', () => secure.end(other)));
    for (const [sslmode, tlsNumber] of [
      ['prefer', 1],
      ['allow', 2],
    ] as const) {
      const { port, sockets } = await serve((socket, number) =>
        number === tlsNumber ? inTls(socket) : answering(refusal)(socket),
      );
      const attempt = connectOrigin(originAt(port, { sslmode }), OPTIONS);
      await expect(attempt).rejects.toMatchObject({ detail: '28P01: wrong' });
      expect(sockets).toHaveLength(2);
    }
  });

  it('is not made by the other modes, nor when nothing listens', async () => {
    const { port, sockets } = await serve(answering(refusal));
    expect(await outcome(port, { sslmode: 'disable' })).toBe('MR_ORIGIN_AUTH');
    expect(await outcome(port, { sslmode: 'require' })).toBe('MR_ORIGIN_REJECTED');
    expect(sockets).toHaveLength(2);
  });
});

// Fails when what comes behind the answer is left for the handshake, or kept.
describe('hazard 19, CVE-2021-23222, CVE-2021-43766: bytes that come with the answer to SSLRequest', () => {
  it('end the connection, with TLS granted or not, and are never retried', async () => {
    for (const first of ['S', 'N']) {
      for (const sslmode of ['prefer', 'require'] as const) {
        const { port, sockets } = await serve(answering(Buffer.concat([latin(first), WELCOME])));
        expect(await outcome(port, { sslmode }), `${first} ${sslmode}`).toBe('MR_ORIGIN_PROTOCOL');
        expect(sockets).toHaveLength(1);
      }
    }
  });

  it('break the handshake when they come right after it', async () => {
    const { port } = await serve((socket) =>
      socket.once('data', () => {
        socket.write('S');
        setTimeout(() => socket.write(WELCOME), 5);
      }),
    );
    expect(await outcome(port, { sslmode: 'require' })).toMatch(/^MR_ORIGIN_(TLS|PROTOCOL)$/);
  });

  it('are refused when the answer is neither yes nor no', async () => {
    const { port } = await serve(answering('X'));
    expect(await outcome(port, { sslmode: 'prefer' })).toBe('MR_ORIGIN_PROTOCOL');
  });

  // Fails when the text of that error is put into the detail of ours.
  it('CVE-2024-10977: keep the text of an error before TLS out of our own', async () => {
    const { port } = await serve(answering(refusal));
    const attempt = connectOrigin(originAt(port, { sslmode: 'require' }), OPTIONS);
    await expect(attempt).rejects.not.toThrow('pg_hba');
  });
});

describe('requestCancel over TLS', () => {
  it('sends the key inside TLS when the link is encrypted', async () => {
    const heard: Buffer[] = [];
    const { port } = await serve(
      offeringTls('server', (secure) =>
        secure.once('data', (chunk) => {
          heard.push(chunk);
          secure.end();
        }),
      ),
    );
    const key = { processId: 1, secretKey: Buffer.from('abcd'), encrypted: true };
    const link = { ...key, address: '127.0.0.1' };
    const origin = originAt(port, { sslmode: 'verify-full', ca });
    expect(await requestCancel(origin, link, 2_000)).toBe('sent');
    expect(Buffer.concat(heard).subarray(8).toString('latin1')).toBe('\0\0\0\x01abcd');
  });
});
