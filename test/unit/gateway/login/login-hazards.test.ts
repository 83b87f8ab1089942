/** What hostile and broken clients do before they are let in. */
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import {
  encodePassword,
  encodeSaslInitialResponse,
} from '../../../../src/protocol/authentication.ts';
import {
  encodeCancelRequest,
  encodeSslRequest,
  encodeStartup,
} from '../../../../src/protocol/startup.ts';
import { error, exchange, GSSENC, JOE, loginStageForEach } from './login-stage.ts';

const { start, client } = loginStageForEach();

// Fails when readOpening lets bytes stand behind a request, or a plain startup packet pass.
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
