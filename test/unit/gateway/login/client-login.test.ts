import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { ScramClient } from '../../../../src/auth/scram-client.ts';
import type { Admitted, AdmittedClient } from '../../../../src/gateway/login/login-context.ts';
import { deriveSaltedPassword } from '../../../../src/origin/login-derive.ts';
import {
  encodePassword,
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../../../../src/protocol/authentication.ts';
import { decodeErrorFields, type ErrorFields } from '../../../../src/protocol/error-response.ts';
import {
  encodeBackendKeyData,
  encodeCancelRequest,
  encodeReadyForQuery,
  encodeSslRequest,
  encodeStartup,
} from '../../../../src/protocol/startup.ts';
import { type LoginBench, RawClient, startLoginBench } from './login-bench.ts';

let bench: LoginBench | null = null;
const clients: RawClient[] = [];

async function start(options: Parameters<typeof startLoginBench>[0] = {}): Promise<LoginBench> {
  bench = await startLoginBench(options);
  return bench;
}

function client(port: number): RawClient {
  const made = new RawClient(port);
  clients.push(made);
  return made;
}

afterEach(() => {
  for (const made of clients.splice(0)) made.socket.destroy();
  bench?.close();
  bench = null;
});

const GSSENC = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]);
const JOE: [string, string][] = [
  ['user', 'joe'],
  ['database', 'shop'],
];

async function error(from: RawClient): Promise<ErrorFields> {
  const { code, body } = await from.message();
  expect(code).toBe('E');
  return decodeErrorFields(body, 0, body.length);
}

/** Goes through SCRAM up to the final message, and returns it with the messages seen. */
async function exchange(from: RawClient, password: string): Promise<Buffer> {
  const offer = await from.message();
  expect(offer.body.toString('latin1')).toBe('\0\0\0\x0aSCRAM-SHA-256\0\0');
  const scram = new ScramClient('fyko+d2lbbFgONRv9qkxdawL');
  from.send(encodeSaslInitialResponse('SCRAM-SHA-256', scram.clientFirst()));
  const { body } = await from.message();
  expect(body.readUInt32BE(0)).toBe(11);
  const { salt, iterations } = scram.onServerFirst(body.subarray(4));
  expect(iterations).toBe(4096);
  const salted = await deriveSaltedPassword(password, salt, iterations);
  return encodeSaslResponse(scram.clientFinal(salted));
}

describe('admit', () => {
  it('logs in by SCRAM and hands over the socket paused, with nothing after AuthenticationOk', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup([...JOE, ['application_name', 'till'], ['options', '-c geqo=off']]));
    joe.send(await exchange(joe, 's3cret'));
    expect((await joe.message()).body.toString('latin1', 4)).toMatch(/^v=/);
    expect((await joe.message()).body).toEqual(Buffer.from([0, 0, 0, 0]));
    const [login] = admitted as [AdmittedClient];
    expect(login).toMatchObject({
      kind: 'client',
      user: 'joe',
      database: 'shop',
      minor: 0,
      leftover: Buffer.alloc(0),
    });
    expect([...login.settings.parameters]).toEqual([
      ['geqo', 'off'],
      ['application_name', 'till'],
    ]);
    expect(login.socket.isPaused()).toBe(true);
    expect(login.socket.listenerCount('data')).toBe(0);
    joe.send('later');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const heard = new Promise((resolve) => login.socket.once('data', resolve));
    login.socket.resume();
    expect(String(await heard)).toBe('later');
    expect(joe.received).toHaveLength(0);
  });

  it('keeps what a client sends behind its last authentication message', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    joe.send(Buffer.concat([await exchange(joe, 's3cret'), Buffer.from('Q early')]));
    await joe.until(() => admitted.length === 1);
    expect((admitted[0] as AdmittedClient).leftover.toString()).toBe('Q early');
  });

  it('takes every message in pieces of one byte', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    const dribble = async (bytes: Buffer): Promise<void> => {
      for (const byte of bytes) {
        joe.send(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await dribble(encodeStartup(JOE));
    await dribble(await exchange(joe, 's3cret'));
    await joe.until(() => admitted.length === 1);
  });

  it('lets options be overridden by the packet, by names without case', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    const options = '-c TimeZone=UTC --work-mem=1MB -c app.tenant=a\\ b';
    joe.send(encodeStartup([...JOE, ['timezone', 'Asia/Tokyo'], ['options', options]]));
    joe.send(await exchange(joe, 's3cret'));
    await joe.until(() => admitted.length === 1);
    expect(Object.fromEntries((admitted[0] as AdmittedClient).settings.parameters)).toEqual({
      timezone: 'Asia/Tokyo',
      work_mem: '1MB',
      'app.tenant': 'a b',
    });
  });

  it('hands over a cancel request without an answer, also where TLS is required', async () => {
    const { port, admitted } = await start({ tls: 'required' });
    const joe = client(port);
    joe.send(encodeCancelRequest(77, Buffer.from([1, 2, 3, 4])));
    await joe.until(() => admitted.length === 1);
    expect(admitted[0]).toMatchObject({
      kind: 'cancel',
      processId: 77,
      secretKey: Buffer.from([1, 2, 3, 4]),
    });
    expect(joe.received).toHaveLength(0);
  });

  it('refuses the replication protocol, and takes a parameter that says no', async () => {
    const { port } = await start();
    for (const value of ['database', 'true', 'on', '1', 'maybe']) {
      const joe = client(port);
      joe.send(encodeStartup([...JOE, ['replication', value]]));
      expect(await error(joe)).toMatchObject({
        sqlstate: '0A000',
        message: 'Millrace does not currently support the replication protocol',
      });
      await joe.untilEnd();
    }
    const joe = client(port);
    joe.send(encodeStartup([...JOE, ['replication', 'off']]));
    expect((await joe.message()).code).toBe('R');
  });

  it('answers a startup packet it cannot read with FATAL, and then closes', async () => {
    const { port } = await start();
    const broken: [string, string][][] = [[['database', 'shop']], [...JOE, ['user', 'moe']]];
    for (const parameters of broken) {
      const joe = client(port);
      joe.send(encodeStartup(parameters));
      expect(await error(joe)).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' });
      expect(await joe.untilEnd()).toBe('');
    }
  });
});

describe('a failed login', () => {
  it('is the same for a wrong password, an unknown user and an unknown database', async () => {
    const { port, logged } = await start();
    const attempts: [string, string, string][] = [
      ['joe', 'shop', 'wrong'],
      ['moe', 'shop', 's3cret'],
      ['joe', 'shed', 's3cret'],
    ];
    const outcomes: string[] = [];
    for (const [user, database, password] of attempts) {
      const someone = client(port);
      someone.send(
        encodeStartup([
          ['user', user],
          ['database', database],
        ]),
      );
      someone.send(await exchange(someone, password));
      const bytes = await someone.untilEnd();
      outcomes.push(bytes.slice(5).replace(user, 'USER'));
      expect(bytes).toContain(`password authentication failed for user "${user}"`);
    }
    expect(new Set(outcomes).size).toBe(1);
    expect(logged).toHaveLength(3);
    for (const line of logged) expect(line).not.toMatch(/s3cret|wrong/);
  });

  it('shows an unknown user the same salt every time, and another one per database', async () => {
    const { port } = await start();
    const saltOf = async (user: string, database: string): Promise<string> => {
      const someone = client(port);
      someone.send(
        encodeStartup([
          ['user', user],
          ['database', database],
        ]),
      );
      await someone.message();
      someone.send(encodeSaslInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=abc')));
      const { body } = await someone.message();
      return /s=([^,]*),i=4096$/.exec(body.toString('latin1'))?.[1] ?? '';
    };
    const salt = await saltOf('moe', 'shop');
    expect(Buffer.from(salt, 'base64')).toHaveLength(16);
    expect(await saltOf('moe', 'shop')).toBe(salt);
    expect(await saltOf('moe', 'shed')).not.toBe(salt);
    expect(await saltOf('joe', 'shed')).not.toBe(await saltOf('joe', 'shop'));
  });
});

// Fails when readRequest lets bytes stand behind a request, or a plain startup packet pass.
describe('hazard 19, CVE-2021-3935, CVE-2021-23214, CVE-2021-43767: TLS stuffing and stripping', () => {
  it('closes on bytes sent along with SSLRequest or GSSENCRequest, without a word', async () => {
    for (const tls of ['off', 'optional', 'required'] as const) {
      const { port, close, failures } = await start({ tls });
      for (const request of [encodeSslRequest(), GSSENC]) {
        const joe = client(port);
        joe.send(Buffer.concat([request, encodeStartup(JOE)]));
        expect(await joe.untilEnd()).toBe('');
      }
      expect(failures.map((failure) => failure.code)).toEqual([
        'MR_PROTOCOL_VIOLATION',
        'MR_PROTOCOL_VIOLATION',
      ]);
      close();
    }
  });

  it('never uses plain bytes that overtake the handshake', async () => {
    const { port, admitted, failures } = await start({ tls: 'optional' });
    const joe = client(port);
    joe.send(encodeSslRequest());
    joe.send(encodeStartup(JOE));
    // In one segment or two: either it is closed at once, or the bytes break the handshake.
    expect(await joe.untilEnd()).toMatch(/^(S([^E]|$)|$)/);
    expect(admitted).toHaveLength(0);
    expect(failures).toHaveLength(1);
  });

  it('refuses a plain startup packet where TLS is required, also after GSSENC was refused', async () => {
    const { port } = await start({ tls: 'required' });
    const plain = client(port);
    plain.send(encodeStartup(JOE));
    expect(await error(plain)).toMatchObject({
      sqlstate: '28000',
      message: 'this listener requires a connection with TLS',
    });
    const gss = client(port);
    gss.send(GSSENC);
    expect((await gss.take(1)).toString()).toBe('N');
    gss.send(encodeStartup(JOE));
    expect(await error(gss)).toMatchObject({ sqlstate: '28000' });
    expect(await gss.untilEnd()).toBe('');
  });

  it('answers N once per request, and takes a plain startup packet afterwards where it may', async () => {
    const { port } = await start();
    const joe = client(port);
    joe.send(GSSENC);
    expect((await joe.take(1)).toString()).toBe('N');
    joe.send(encodeSslRequest());
    expect((await joe.take(1)).toString()).toBe('N');
    joe.send(encodeStartup(JOE));
    expect((await joe.message()).code).toBe('R');
  });

  it.each([encodeSslRequest(), GSSENC])('refuses a request that comes again', async (request) => {
    const { port } = await start();
    const joe = client(port);
    joe.send(request);
    await joe.take(1);
    joe.send(request);
    expect(await error(joe)).toMatchObject({ sqlstate: '08P01' });
    expect(await joe.untilEnd()).toBe('');
  });

  it('refuses a second request inside TLS', async () => {
    const { port } = await start({ tls: 'required' });
    for (const request of [encodeSslRequest(), GSSENC]) {
      const joe = client(port);
      joe.send(encodeSslRequest());
      await joe.take(1);
      joe.socket.removeAllListeners('data');
      const secure = connectTls({ socket: joe.socket, rejectUnauthorized: false });
      await new Promise((resolve) => secure.once('secureConnect', resolve));
      secure.write(request);
      const [head] = (await new Promise((resolve) => secure.once('data', resolve))) as Buffer;
      expect(head).toBe(0x45);
      secure.destroy();
    }
  });

  it('closes a client whose records break after the handshake', async () => {
    const { port, failures } = await start({ tls: 'required' });
    const joe = client(port);
    joe.send(encodeSslRequest());
    await joe.take(1);
    // The handshake goes over a stream of our own, so that plain bytes can still be slipped in.
    const wire = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        joe.socket.write(chunk, done);
      },
    });
    joe.socket.on('data', (chunk) => wire.push(chunk));
    const secure = connectTls({ socket: wire, rejectUnauthorized: false });
    secure.on('error', () => {});
    await new Promise((resolve) => secure.once('secureConnect', resolve));
    secure.write(encodeStartup(JOE));
    await new Promise((resolve) => secure.once('data', resolve));
    // A record of application data that no key of this session has sealed.
    joe.send(Buffer.from([23, 3, 3, 0, 32, ...new Uint8Array(32)]));
    await joe.until(() => failures.length === 1 && joe.ended);
  });

  it('turns away a client that offers other protocols by ALPN only', async () => {
    const { port, failures } = await start({ tls: 'required' });
    const joe = client(port);
    joe.send(encodeSslRequest());
    await joe.take(1);
    joe.socket.removeAllListeners('data');
    const secure = connectTls({
      socket: joe.socket,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    secure.on('error', () => {});
    await joe.until(() => failures.length === 1);
    expect(failures[0]?.code).toBe('MR_TLS_HANDSHAKE');
  });

  it('closes direct TLS and other protocols with nothing where TLS is off', async () => {
    const { port } = await start({ tls: 'off' });
    for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', 'GET / HTTP/1.1\r\n\r\n', '\0\0\0\0']) {
      const joe = client(port);
      joe.send(bytes);
      expect(await joe.untilEnd()).toBe('');
    }
  });
});

// Fails when readAnswer takes a message of any type for the answer of SASL.
describe('hazard 20, CVE-2026-107350: messages out of turn before authentication', () => {
  const intruders: [string, Buffer][] = [
    [
      'a second startup packet',
      encodeStartup([
        ['user', 'admin'],
        ['database', 'shop'],
      ]),
    ],
    ['SSLRequest', encodeSslRequest()],
    ['CancelRequest', encodeCancelRequest(1, Buffer.alloc(4))],
    ['Query', Buffer.from('Q\0\0\0\x0dselect 1\0', 'latin1')],
    ['Terminate', Buffer.from('X\0\0\0\x04', 'latin1')],
    ['Sync', Buffer.from('S\0\0\0\x04', 'latin1')],
    ['Query with a bad length', Buffer.from('Q\xff\xff\xff\xff', 'latin1')],
  ];

  it.each(intruders)('refuses %s in place of the first SASL message', async (_name, bytes) => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    await joe.message();
    joe.send(bytes);
    expect(await error(joe)).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' });
    expect(await joe.untilEnd()).toBe('');
    expect(admitted).toHaveLength(0);
  });

  it.each(intruders)('refuses %s in the middle of SASL', async (_name, bytes) => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    const final = await exchange(joe, 's3cret');
    joe.send(Buffer.concat([bytes, final]));
    expect(await error(joe)).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' });
    await joe.untilEnd();
    expect(admitted).toHaveLength(0);
  });

  // Fails when the length of the first packet is not looked at.
  it('CVE-2015-4054: refuses a password message before the startup packet, without a word', async () => {
    const { port } = await start();
    const joe = client(port);
    joe.send(encodePassword('s3cret'));
    expect(await joe.untilEnd()).toBe('');
  });

  it('refuses a cleartext password where SASL was asked for', async () => {
    const { port } = await start();
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    await joe.message();
    joe.send(encodePassword('s3cret'));
    expect(await error(joe)).toMatchObject({ sqlstate: '08P01' });
  });

  it('refuses a mechanism that was not offered', async () => {
    const { port } = await start();
    for (const mechanism of ['SCRAM-SHA-256-PLUS', 'PLAIN', '']) {
      const joe = client(port);
      joe.send(encodeStartup(JOE));
      await joe.message();
      joe.send(encodeSaslInitialResponse(mechanism, Buffer.from('n,,n=,r=abc')));
      expect(await error(joe)).toMatchObject({ sqlstate: '08P01' });
    }
  });

  it('negotiates the protocol version exactly once, and only when there is something to say', async () => {
    const { port } = await start();
    for (const [version, agreed, extra, count, unknown] of [
      [0x30003, 0x30002, [], 0, ''],
      [0x30000, 0x30000, [['_pq_.a', '1']], 1, '_pq_.a\0'],
      [0x30001, 0x30001, [['_pq_.a', '1']], 1, '_pq_.a\0'],
      [
        0x30000 + 9999,
        0x30002,
        [
          ['_pq_.a', '1'],
          ['_pq_.b', ''],
        ],
        2,
        '_pq_.a\0_pq_.b\0',
      ],
    ] as [number, number, [string, string][], number, string][]) {
      const joe = client(port);
      const packet = encodeStartup([...JOE, ...extra]);
      packet.writeUInt32BE(version, 4);
      joe.send(packet);
      const { code, body } = await joe.message();
      expect(code).toBe('v');
      expect(body.readUInt32BE(0)).toBe(agreed);
      expect(body.readUInt32BE(4)).toBe(count);
      expect(body.toString('latin1', 8)).toBe(unknown);
      joe.send(await exchange(joe, 's3cret'));
      expect((await joe.message()).code).toBe('R');
      expect((await joe.message()).code).toBe('R');
    }
    for (const version of [0x30000, 0x30001, 0x30002]) {
      const joe = client(port);
      const packet = encodeStartup(JOE);
      packet.writeUInt32BE(version, 4);
      joe.send(packet);
      expect((await joe.message()).code).toBe('R');
    }
  });
});

// Fails when lengths are not checked before they are waited for.
describe('hazard 21, CVE-2026-6664, CVE-2026-6668, CVE-2026-107348: lengths and slowness', () => {
  it.each([0, 3, 4, 7, 10_001, 0x7fffffff, 0x80000000, 0xffffffff])(
    'closes on a startup packet of length %d at once',
    async (length) => {
      const { port } = await start();
      const joe = client(port);
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(length);
      joe.send(bytes);
      expect(await joe.untilEnd()).toBe('');
    },
  );

  it.each([0, 3, 2_049, 0x7fffffff, 0x80000000, 0xffffffff])(
    'refuses a SASL message of length %d at once',
    async (length) => {
      const { port } = await start();
      const joe = client(port);
      joe.send(encodeStartup(JOE));
      await joe.message();
      const head = Buffer.from('p\0\0\0\0');
      head.writeUInt32BE(length, 1);
      joe.send(head);
      expect(await error(joe)).toMatchObject({ sqlstate: '08P01' });
      await joe.untilEnd();
    },
  );

  it('ends a client that dribbles, by one deadline over all', async () => {
    const { port, failures } = await start({ loginTimeoutMs: 150 });
    const joe = client(port);
    const bytes = encodeStartup(JOE);
    let at = 0;
    const timer = setInterval(() => joe.send(bytes.subarray(at, ++at)), 25);
    await joe.untilEnd();
    clearInterval(timer);
    expect(at).toBeLessThan(bytes.length);
    expect(failures[0]?.code).toBe('MR_LOGIN_TIMEOUT');
    // Before the startup packet is complete nobody has said what protocol this is.
    expect(joe.received).toHaveLength(0);
  });

  it('tells a client that stalls in the middle of SASL, and one in the handshake nothing', async () => {
    const { port } = await start({ loginTimeoutMs: 150, tls: 'optional' });
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    await joe.message();
    expect(await error(joe)).toMatchObject({
      sqlstate: '57014',
      message: 'canceling authentication due to timeout',
    });
    const moe = client(port);
    moe.send(encodeSslRequest());
    expect(await moe.untilEnd()).toBe('S');
  });

  it('lets go of a client that leaves, at every point', async () => {
    const { port, failures, sockets } = await start();
    const steps = ['', '\0\0', encodeStartup(JOE)];
    for (const bytes of steps) {
      const joe = client(port);
      if (bytes !== '') joe.send(bytes);
      joe.socket.end();
    }
    const joe = client(port);
    await joe.until(() => failures.length === 3);
    joe.socket.resetAndDestroy();
    await joe.until(() => failures.length === 4);
    expect(new Set(failures.map((failure) => failure.code))).toEqual(new Set(['MR_CLIENT_LOST']));
    await joe.until(() => sockets.every((socket) => socket.destroyed));
  });

  it('destroys a refused client that neither reads nor leaves', async () => {
    const { port, sockets } = await start();
    const joe = client(port);
    joe.socket.pause();
    joe.send('GET / HTTP/1.1\r\n\r\n');
    await joe.until(() => sockets[0]?.destroyed === true, 3_000);
  });
});

describe('the pg driver', () => {
  const finish = (admitted: Admitted): void => {
    if (admitted.kind !== 'client') return;
    admitted.socket.write(
      Buffer.concat([encodeBackendKeyData(1, Buffer.alloc(4)), encodeReadyForQuery(0x49)]),
    );
    admitted.socket.on('end', () => admitted.socket.end());
    admitted.socket.resume();
  };

  const config = (port: number) => ({
    host: '127.0.0.1',
    port,
    user: 'joe',
    database: 'shop',
    password: 's3cret',
  });

  it.each([
    ['off', false],
    ['optional', false],
    ['optional', { rejectUnauthorized: false }],
    ['required', { rejectUnauthorized: false }],
  ] as const)('logs in where TLS is %s', async (tls, ssl) => {
    const { port, admitted } = await start({ tls, onAdmitted: finish });
    const driver = new pg.Client({ ...config(port), ssl });
    await driver.connect();
    expect((admitted[0] as AdmittedClient).user).toBe('joe');
    expect('encrypted' in (admitted[0] as AdmittedClient).socket).toBe(ssl !== false);
    await driver.end();
  });

  it('gets the error of a wrong password, and of a missing TLS', async () => {
    const { port } = await start({ tls: 'required', onAdmitted: finish });
    const ssl = { rejectUnauthorized: false };
    const wrong = new pg.Client({ ...config(port), ssl, password: 'nope' });
    await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
    const plain = new pg.Client(config(port));
    await expect(plain.connect()).rejects.toMatchObject({ code: '28000' });
  });
});
