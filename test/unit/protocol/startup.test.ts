import { describe, expect, it } from 'vitest';
import { type ErrorCode, GatewayError } from '../../../src/base/errors.ts';
import {
  decodeFirstPacket,
  encodeCancelRequest,
  encodeNegotiateProtocolVersion,
  encodeSslRequest,
  encodeStartup,
  encodeWelcome,
  type FirstPacket,
  type StartupPacket,
} from '../../../src/protocol/startup.ts';

const decode = (bytes: Buffer): FirstPacket | null => decodeFirstPacket(bytes, 0, bytes.length);

function codeOf(work: () => unknown): ErrorCode | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

/** An opening packet of protocol `version` with the given rest. */
function packet(version: number, rest: string | Buffer): Buffer {
  const body = Buffer.from(rest);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.writeUInt32BE(version, 4);
  return Buffer.concat([head, body]);
}

const V3 = 0x30000;

describe('decodeFirstPacket', () => {
  it('reads what encodeStartup writes', () => {
    const sent: [string, string][] = [
      ['user', 'müller'],
      ['database', 'd b'],
      ['TimeZone', 'Europe/Berlin'],
      ['options', '-c geqo=off'],
    ];
    const bytes = encodeStartup(sent);
    expect(decode(bytes)).toEqual({
      kind: 'startup',
      size: bytes.length,
      minor: 0,
      user: 'müller',
      database: 'd b',
      replication: null,
      options: '-c geqo=off',
      parameters: new Map([['TimeZone', 'Europe/Berlin']]),
      protocolOptions: [],
    });
  });

  it('reads encryption and cancel requests', () => {
    expect(decode(encodeSslRequest())).toEqual({ kind: 'ssl', size: 8 });
    expect(decode(packet(80877104, ''))).toEqual({ kind: 'gssenc', size: 8 });
    const secretKey = Buffer.from([9, 8, 7, 6]);
    expect(decode(encodeCancelRequest(-5, secretKey))).toEqual({
      kind: 'cancel',
      size: 16,
      processId: -5,
      secretKey,
    });
    expect(decode(encodeCancelRequest(1, Buffer.alloc(256)))?.size).toBe(268);
  });

  it('asks for more until the packet is complete, and leaves what follows', () => {
    const bytes = encodeStartup([['user', 'u']]);
    for (let size = 0; size < bytes.length; size++) {
      expect(decodeFirstPacket(bytes, 0, size), `${size} bytes`).toBeNull();
    }
    const more = Buffer.concat([Buffer.from('..'), bytes, Buffer.from('more')]);
    expect(decodeFirstPacket(more, 2, more.length)?.size).toBe(bytes.length);
  });

  it('takes the user name for a database that is absent or empty', () => {
    for (const rest of ['user\0u\0\0', 'user\0u\0database\0\0\0']) {
      expect((decode(packet(V3, rest)) as StartupPacket).database).toBe('u');
    }
  });

  it('collects protocol options and the replication parameter apart from the settings', () => {
    const rest = 'user\0u\0_pq_.a\0x\0replication\0true\0_pq_.b\0\0\0';
    const startup = decode(packet(V3 + 2, rest)) as StartupPacket;
    expect(startup.protocolOptions).toEqual(['_pq_.a', '_pq_.b']);
    expect(startup.replication).toBe('true');
    expect(startup.minor).toBe(2);
    expect(startup.parameters.size).toBe(0);
  });

  // Fails when decodeFirstPacket takes any length.
  it('hazard 21: refuses lengths that cannot be, before waiting for the bytes', () => {
    for (const length of [0, 1, 2, 3, 4, 7, 10_001, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(length);
      expect(
        codeOf(() => decode(bytes)),
        String(length),
      ).toBe('MR_NOT_POSTGRES');
    }
    expect(codeOf(() => decode(Buffer.from('GET / HTTP/1.1\r\n')))).toBe('MR_NOT_POSTGRES');
    expect(codeOf(() => decode(Buffer.from([0x16, 3, 1, 2, 0, 1])))).toBe('MR_NOT_POSTGRES');
    const largest = Buffer.alloc(4);
    largest.writeUInt32BE(10_000);
    expect(decode(largest)).toBeNull();
  });

  it('refuses other major versions by their number', () => {
    for (const version of [0x20000, 0x40000, 0, 0xffffffff]) {
      expect(codeOf(() => decode(packet(version, 'user\0u\0\0')))).toBe('MR_UNSUPPORTED');
    }
    expect(() => decode(packet(0x20000, ''))).toThrow('protocol version 2.0');
  });

  it('refuses malformed packets', () => {
    const malformed: [string, Buffer][] = [
      ['no parameters', packet(V3, '')],
      ['no user', packet(V3, '\0')],
      ['empty user', packet(V3, 'user\0\0\0')],
      ['no terminator', packet(V3, 'user\0u\0')],
      ['unterminated name', packet(V3, 'user\0u\0x')],
      ['unterminated value', packet(V3, 'user\0u')],
      ['bytes after the terminator', packet(V3, 'user\0u\0\0\0')],
      ['two users', packet(V3, 'user\0u\0user\0v\0\0')],
      ['two databases', packet(V3, 'user\0u\0database\0a\0database\0b\0\0')],
      ['not UTF-8', packet(V3, Buffer.from('user\0u\xff\0\0', 'latin1'))],
      ['long SSLRequest', packet(80877103, 'x')],
      ['long GSSENCRequest', packet(80877104, 'x')],
      ['cancel without key', packet(80877102, Buffer.alloc(4))],
      ['cancel with short key', packet(80877102, Buffer.alloc(7))],
      ['cancel with huge key', packet(80877102, Buffer.alloc(261))],
    ];
    for (const [what, bytes] of malformed) {
      expect(
        codeOf(() => decode(bytes)),
        what,
      ).toBe('MR_PROTOCOL_VIOLATION');
    }
  });
});

describe('messages that close the opening', () => {
  it('have the bytes PostgreSQL documents', () => {
    const identity = { processId: 258, secretKey: Buffer.from('abcd') };
    const told = encodeWelcome(new Map([['a', 'b']]), (name, value) => name + value, identity);
    expect(told.toString('latin1')).toBe(
      'S\0\0\0\x09a\0ab\0K\0\0\0\x0c\0\0\x01\x02abcdZ\0\0\0\x05I',
    );
    expect(encodeNegotiateProtocolVersion(0, ['_pq_.x']).toString('latin1')).toBe(
      'v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0',
    );
    expect(encodeNegotiateProtocolVersion(9999, []).toString('latin1')).toBe(
      'v\0\0\0\x0c\0\x03\0\x02\0\0\0\0',
    );
  });
});
