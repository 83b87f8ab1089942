import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ScramServer } from '../../../src/auth/scram-server.ts';
import type { GatewayError } from '../../../src/base/errors.ts';
import { mintVerifier } from '../../../src/gateway/login/login-verifier.ts';
import { connectOrigin, requestCancel } from '../../../src/origin/connect.ts';
import {
  decodeSaslInitialResponse,
  encodeAuthenticationCleartextPassword,
  encodeAuthenticationMd5Password,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { decodeFirstPacket } from '../../../src/protocol/startup.ts';
import { encodeBackendKeyData, encodeReadyForQuery } from '../../support/server-messages.ts';
import {
  answering,
  type FakeServer,
  fakeServer,
  latin,
  OK,
  OPTIONS,
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

async function failure(
  port: number,
  changes: Parameters<typeof originAt>[1] = {},
  connectTimeoutMs = 5_000,
): Promise<GatewayError> {
  const promise = connectOrigin(originAt(port, changes), { ...OPTIONS, connectTimeoutMs });
  return (await promise.then(
    (link) => {
      link.socket.destroy();
      throw new Error('it connected');
    },
    (error: unknown) => error,
  )) as GatewayError;
}

const rejecting = (sqlstate: string, message: string) =>
  answering(encodeErrorResponse({ severity: 'FATAL', sqlstate, message, detail: '', hint: '' }));

/** Every socket of the server is closed by the other side. */
async function allClosed(server: FakeServer): Promise<void> {
  for (const socket of server.sockets) {
    socket.resume();
    if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
  }
}

describe('connectOrigin', () => {
  it('hands over the socket paused, without a data listener, with what the server told', async () => {
    let startup: ReturnType<typeof decodeFirstPacket> = null;
    const { port, sockets } = await serve((socket) =>
      socket.once('data', (chunk) => {
        startup = decodeFirstPacket(chunk, 0, chunk.length);
        socket.write(WELCOME);
      }),
    );
    const parameters = { options: '-c geqo=off', client_encoding: 'SQL_ASCII' };
    const link = await connectOrigin(originAt(port), { ...OPTIONS, parameters });
    expect(startup).toMatchObject({ user: 'joe', database: 'shop', options: '-c geqo=off' });
    expect(startup).toHaveProperty(
      'parameters',
      new Map([
        ['client_encoding', 'UTF8'],
        ['application_name', 'test'],
      ]),
    );
    expect(link).toMatchObject({ encrypted: false, processId: 4711 });
    expect(link.secretKey).toEqual(Buffer.from([1, 2, 3, 4]));
    expect(Object.fromEntries(link.parameters)).toEqual({
      server_version: '15.0',
      TimeZone: 'UTC',
    });
    expect(link.socket.isPaused()).toBe(true);
    expect(link.socket.listenerCount('data')).toBe(0);
    sockets[0]?.write('later');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const heard = new Promise((resolve) => link.socket.once('data', resolve));
    link.socket.resume();
    expect(String(await heard)).toBe('later');
    link.socket.destroy();
  });

  it('takes a welcome that comes byte by byte', async () => {
    const { port } = await serve((socket) =>
      socket.once('data', async () => {
        for (const byte of WELCOME) {
          socket.write(Buffer.from([byte]));
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    const link = await connectOrigin(originAt(port), OPTIONS);
    expect(link.parameters.get('TimeZone')).toBe('UTC');
    link.socket.destroy();
  });

  it('tells a refused connection, an unknown name and a silent server apart', async () => {
    const { port, close } = await serve(() => {});
    const silent = await failure(port, {}, 100);
    expect(silent.code).toBe('MR_ORIGIN_TIMEOUT');
    close();
    expect(await failure(port)).toMatchObject({
      code: 'MR_ORIGIN_REFUSED',
      detail: 'ECONNREFUSED',
    });
    expect((await failure(port, { host: 'no.such.host.invalid' })).code).toBe('MR_ORIGIN_NAME');
  });

  it('leaves no socket behind when the deadline passes, wherever it stands', async () => {
    for (const bytes of [latin(''), OK, WELCOME.subarray(0, -3)]) {
      const server = await serve(answering(bytes));
      expect((await failure(server.port, {}, 60)).code).toBe('MR_ORIGIN_TIMEOUT');
      await allClosed(server);
    }
    const halfTls = await serve(answering('S'));
    expect((await failure(halfTls.port, { sslmode: 'require' }, 60)).code).toBe(
      'MR_ORIGIN_TIMEOUT',
    );
    await allClosed(halfTls);
  });

  it('has one deadline over a server that keeps talking', async () => {
    const server = await serve((socket) => {
      const notice = latin('N\0\0\0\x10SNOTICE\0Mx\0\0');
      const timer = setInterval(() => socket.write(notice), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect((await failure(server.port, {}, 150)).code).toBe('MR_ORIGIN_TIMEOUT');
  });

  it('reports what the server said when it refuses', async () => {
    for (const [sqlstate, code] of [
      ['28P01', 'MR_ORIGIN_AUTH'],
      ['28000', 'MR_ORIGIN_AUTH'],
      ['3D000', 'MR_ORIGIN_AUTH'],
      ['53300', 'MR_ORIGIN_REJECTED'],
      ['57P03', 'MR_ORIGIN_REJECTED'],
    ] as const) {
      const server = await serve(rejecting(sqlstate, 'not now'));
      expect(await failure(server.port)).toMatchObject({ code, detail: `${sqlstate}: not now` });
      await allClosed(server);
    }
  });

  it('asks for protocol 3.0, which every server speaks, and takes cancel keys of any length', async () => {
    const key = Buffer.alloc(256, 7);
    const asked: number[] = [];
    const { port } = await serve((socket) => {
      socket.once('data', (startup) => {
        asked.push(startup.readUInt32BE(4));
        const said = [OK, encodeBackendKeyData(4711, key), encodeReadyForQuery(0x49)];
        socket.write(Buffer.concat(said));
      });
    });
    const link = await connectOrigin(originAt(port), OPTIONS);
    expect(asked).toEqual([0x30000]);
    expect(link.secretKey).toEqual(key);
    link.socket.destroy();
  });

  it('takes a link without a cancel key', async () => {
    const { port } = await serve(answering(Buffer.concat([OK, WELCOME.subarray(-6)])));
    const link = await connectOrigin(originAt(port), OPTIONS);
    expect(link).toMatchObject({ processId: 0, secretKey: Buffer.alloc(0) });
    link.socket.destroy();
    expect(await requestCancel(originAt(port), link, 1_000)).toBe('failed');
  });
});

// Fails when the login takes any length, any order of messages, or any number of them.
describe('hazard 23: a malformed server', () => {
  const header = (code: string, length: number): Buffer => {
    const bytes = latin(`${code}\0\0\0\0`);
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };
  const badLengths = [0, 1, 2, 3, 30_001, 0x7fffffff, 0x80000000, 0xffffffff];
  const cases: [string, Buffer][] = [
    ...['R', 'E', 'N'].flatMap((code) =>
      badLengths.map((length): [string, Buffer] => [
        `${code} of length ${length}`,
        header(code, length),
      ]),
    ),
    ...['S', 'K', 'Z'].flatMap((code) =>
      badLengths.map((length): [string, Buffer] => [
        `${code} of length ${length} after OK`,
        Buffer.concat([OK, header(code, length)]),
      ]),
    ),
    ['a truncated R', latin('R\0\0\0\x06\0\0')],
    ['R without a code', latin('R\0\0\0\x04')],
    ['ReadyForQuery before authentication', latin('Z\0\0\0\x05I')],
    ['ParameterStatus before authentication', latin('S\0\0\0\x08a\0b\0')],
    ['a DataRow', latin('D\0\0\0\x06\0\0')],
    ['HTTP', latin('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['a second OK', Buffer.concat([OK, OK])],
    [
      'a password request after OK',
      Buffer.concat([OK, encodeAuthenticationMd5Password(OK.subarray(0, 4))]),
    ],
    ['SASLContinue first', encodeAuthenticationSaslContinue(latin('r=x,s=AAAA,i=1'))],
    ['SASLFinal first', encodeAuthenticationSaslFinal(latin('v=AAAA'))],
    ['ParameterStatus without a value', Buffer.concat([OK, latin('S\0\0\0\x06a\0')])],
    ['ParameterStatus without zeros', Buffer.concat([OK, latin('S\0\0\0\x06ab')])],
    ['a short key', Buffer.concat([OK, latin('K\0\0\0\x06ab')])],
    ['ReadyForQuery in a transaction', Buffer.concat([OK, latin('Z\0\0\0\x05T')])],
    ['bytes after ReadyForQuery', Buffer.concat([WELCOME, latin('Z\0\0\0\x05I')])],
    ['NegotiateProtocolVersion', latin('v\0\0\0\x0c\0\x03\0\0\0\0\0\0')],
    [
      'two password requests',
      Buffer.concat([
        encodeAuthenticationMd5Password(OK.subarray(0, 4)),
        encodeAuthenticationMd5Password(OK.subarray(0, 4)),
      ]),
    ],
  ];

  it.each(cases)('that sends %s is a protocol error', async (_name, bytes) => {
    const server = await serve(answering(bytes));
    expect((await failure(server.port)).code).toBe('MR_ORIGIN_PROTOCOL');
    await allClosed(server);
  });

  it('that sends an error without a SQLSTATE is a rejection', async () => {
    const { port } = await serve(answering('E\0\0\0\x0cSFATAL\0\0'));
    expect(await failure(port)).toMatchObject({ code: 'MR_ORIGIN_REJECTED', detail: 'XX000: ' });
    const { port: cut } = await serve(answering('E\0\0\0\x04'));
    expect((await failure(cut)).code).toBe('MR_ORIGIN_REJECTED');
  });

  it('that never comes to an end is given up', async () => {
    const endless = await serve(
      answering(
        Buffer.concat([OK, ...Array.from({ length: 1_100 }, () => WELCOME.subarray(9, 36))]),
      ),
    );
    expect((await failure(endless.port)).code).toBe('MR_ORIGIN_PROTOCOL');
  });

  it('that closes at any point is a rejection, not a hang', async () => {
    for (let size = 0; size < WELCOME.length; size += 7) {
      const server = await serve((socket) =>
        socket.once('data', () => socket.end(WELCOME.subarray(0, size))),
      );
      expect((await failure(server.port)).code).toBe('MR_ORIGIN_REJECTED');
    }
    const { port } = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect((await failure(port)).code).toBe('MR_ORIGIN_REJECTED');
  });
});

describe('authentication at the origin', () => {
  it('refuses to send a cleartext password without TLS', async () => {
    const { port, sockets } = await serve(answering(encodeAuthenticationCleartextPassword()));
    const heard: Buffer[] = [];
    const watching = setInterval(() => sockets[0]?.on('data', (chunk) => heard.push(chunk)), 1);
    const error = await failure(port);
    clearInterval(watching);
    expect(error).toMatchObject({
      code: 'MR_ORIGIN_AUTH',
      detail: 'the server asks for a cleartext password on a connection without TLS',
    });
    expect(Buffer.concat(heard).toString('latin1')).not.toContain('s3cret');
  });

  it('says so when a password is asked for and none is there', async () => {
    const { port } = await serve(answering(encodeAuthenticationSasl(['SCRAM-SHA-256'])));
    expect((await failure(port, { password: null })).detail).toContain('none is configured');
  });

  it('refuses other methods by name', async () => {
    const gss = await serve(answering('R\0\0\0\x08\0\0\0\x07'));
    expect((await failure(gss.port)).detail).toContain('GSSAPI');
    const other = await serve(answering(encodeAuthenticationSasl(['OAUTHBEARER', 'X'])));
    expect((await failure(other.port)).detail).toContain('no SASL mechanism');
  });

  it('refuses an offer of channel binding where there is no TLS to bind to', async () => {
    const offer = encodeAuthenticationSasl(['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']);
    const plus = await serve(answering(offer));
    expect((await failure(plus.port)).detail).toContain('on a connection without TLS');
  });

  /** A server that does SCRAM; `spoil` may change what it sends last. */
  const scramServer = (finish: (signature: Buffer) => Buffer) => async () => {
    const verifier = await mintVerifier('s3cret', {
      bytes: (size) => new Uint8Array(size).fill(3),
    });
    return serve((socket) => {
      const scram = new ScramServer(verifier, true, 'abc');
      const steps = [
        () => encodeAuthenticationSasl(['OAUTHBEARER', 'SCRAM-SHA-256']),
        (body: Buffer) =>
          encodeAuthenticationSaslContinue(
            scram.onClientFirst(decodeSaslInitialResponse(body).data),
          ),
        (body: Buffer) => finish(scram.onClientFinal(body) ?? latin('v=AAAA')),
      ];
      socket.on('data', (chunk) => socket.write(steps.shift()?.(chunk.subarray(5)) ?? ''));
    });
  };

  it('proves itself by SCRAM and takes the proof of the server', async () => {
    const server = await scramServer((signature) =>
      Buffer.concat([encodeAuthenticationSaslFinal(signature), WELCOME]),
    )();
    const link = await connectOrigin(originAt(server.port), OPTIONS);
    expect(link.processId).toBe(4711);
    link.socket.destroy();
  });

  it('does not believe a server that skips or spoils its proof', async () => {
    const skips = await scramServer(() => WELCOME)();
    expect((await failure(skips.port)).code).toBe('MR_ORIGIN_PROTOCOL');
    const zeros = latin(`v=${Buffer.alloc(32).toString('base64')}`);
    const spoils = await scramServer(() =>
      Buffer.concat([encodeAuthenticationSaslFinal(zeros), WELCOME]),
    )();
    expect(await failure(spoils.port)).toMatchObject({
      code: 'MR_ORIGIN_AUTH',
      detail: 'the server could not prove that it knows the password',
    });
  });
});

describe('requestCancel', () => {
  const key = { processId: 258, secretKey: Buffer.from('abcd'), encrypted: false };
  const link = { ...key, address: '127.0.0.1' };

  it('sends the key and resolves when the server closes', async () => {
    let heard = Buffer.alloc(0);
    const { port } = await serve((socket) =>
      socket.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk]);
        setTimeout(() => socket.end(), 30);
      }),
    );
    expect(await requestCancel(originAt(port), link, 2_000)).toBe('sent');
    expect(heard.toString('latin1')).toBe('\0\0\0\x10\x04\xd2\x16\x2e\0\0\x01\x02abcd');
  });

  it('tells when it could not, and never rejects or leaves a socket', async () => {
    const silent = await serve((socket) => socket.resume());
    expect(await requestCancel(originAt(silent.port), link, 60)).toBe('failed');
    await allClosed(silent);
    const flood = await serve((socket) => socket.write(Buffer.alloc(300_000)));
    expect(await requestCancel(originAt(flood.port), link, 2_000)).toBe('failed');
    const { port, close } = await serve(() => {});
    close();
    expect(await requestCancel(originAt(port), link, 2_000)).toBe('failed');
    const noTls = await serve(answering('N'));
    expect(await requestCancel(originAt(noTls.port), { ...link, encrypted: true }, 2_000)).toBe(
      'failed',
    );
    await allClosed(noTls);
  });
});
