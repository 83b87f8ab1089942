/**
 * Tokens and startup packets that are broken or made up: nobody is let in, every connection ends,
 * and nothing is thrown.
 */
import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readToken } from '../../src/aws/presigned-token.ts';
import { TestEndpoint } from '../support/dsql-endpoint.ts';
import { FUZZ_MS, FUZZ_TEST_TIMEOUT_MS } from '../support/fuzz-budget.ts';
import * as wire from '../support/wire-messages.ts';

/** A part each of the time of a fuzzer. */
const LIMIT = { interruptAfterTimeLimit: FUZZ_MS / 3, numRuns: 100_000 };
const ANSWER_MS = 5_000;

let test: TestEndpoint;
let token: string;
const uncaught: unknown[] = [];
const note = (error: unknown) => void uncaught.push(error);

beforeAll(async () => {
  process.on('uncaughtExceptionMonitor', note);
  test = await TestEndpoint.start({ connectionsMax: 10_000, perSecond: 1e6, burst: 1e6 });
  token = await test.token();
});

afterAll(async () => {
  process.off('uncaughtExceptionMonitor', note);
  await test?.stop();
});

const STARTUP = wire.startup({ user: 'admin', database: 'postgres' });

/** Sends the packets, each when something has come for the last one, and reads to the end. */
async function offer(...packets: readonly Buffer[]): Promise<Buffer> {
  const socket = tlsConnect({
    host: '127.0.0.1',
    port: test.endpoint.port,
    ca: test.authority.cert,
    servername: test.host,
    ALPNProtocols: ['postgresql'],
  });
  const read: Buffer[] = [];
  let next = 1;
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    read.push(chunk);
    const packet = packets[next++];
    if (packet !== undefined) socket.write(packet);
    // Nothing more comes of a stranger who is let in: so he would hang, and fail the test.
    else if (chunk[0] === 'R'.charCodeAt(0)) socket.end();
  });
  await once(socket, 'secureConnect');
  socket.write(packets[0] as Buffer);
  if (packets.length === 1) socket.end();
  await once(socket, 'close', { signal: AbortSignal.timeout(ANSWER_MS) });
  return Buffer.concat(read);
}

/** It was asked for a password at most, and told FATAL at most. */
function expectRefused(said: Buffer): void {
  const asksPassword = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
  const negotiation = said[0] === 'v'.charCodeAt(0) ? 1 + said.readUInt32BE(1) : 0;
  let rest = said.subarray(negotiation);
  if (rest.subarray(0, 9).equals(asksPassword)) rest = rest.subarray(9);
  if (rest.length === 0) return;
  expect(String.fromCharCode(rest[0] as number)).toBe('E');
  expect(rest.length).toBe(1 + rest.readUInt32BE(1));
  expect(rest.toString('latin1')).toContain('SFATAL\0');
}

const password = (text: string): Buffer =>
  wire.message('p', Buffer.concat([Buffer.from(text), Buffer.alloc(1)]));

/** The token with something changed that it is signed for, or that it must have. */
const brokenToken = (): fc.Arbitrary<string> => {
  const at = fc.nat(token.length - 1);
  return fc.oneof(
    fc.tuple(at, fc.string({ maxLength: 6 })).map(([index, text]) => {
      const end = Math.min(token.length, index + Math.max(1, text.length));
      return token.slice(0, index) + text + token.slice(end);
    }),
    at.map((index) => token.slice(0, index)),
    at.map((index) => token.slice(index + 1)),
    fc.tuple(at, at).map(([from, to]) => token.slice(0, from) + token.slice(to)),
    fc.string({ unit: 'binary', maxLength: 2_000 }),
    fc
      .dictionary(
        fc.constantFrom(
          'Action',
          'X-Amz-Algorithm',
          'X-Amz-Credential',
          'X-Amz-Date',
          'X-Amz-Expires',
          'X-Amz-SignedHeaders',
          'X-Amz-Signature',
          'X-Amz-Security-Token',
        ),
        fc.oneof(
          fc.string(),
          fc.constant('host'),
          fc.constant('DbConnectAdmin'),
          fc.stringMatching(/^[0-9a-f]{64}$/),
        ),
      )
      .map((query) => `${test.host}/?${new URLSearchParams(query)}`),
    fc.integer({ min: 16_380, max: 16_390 }).map((size) => token.padEnd(size, '&a=b')),
  );
};

/** What percent-encodes, and so is signed, alike. */
const isSameToken = (text: string): boolean => {
  const zero = text.indexOf('\0');
  const read = readToken(zero < 0 ? text : text.slice(0, zero));
  const genuine = readToken(token);
  if ('reason' in read || 'reason' in genuine) return false;
  const entries = (map: ReadonlyMap<string, string>) => JSON.stringify([...map].toSorted());
  return (
    read.signature.equals(genuine.signature) &&
    read.host.toLowerCase() === genuine.host &&
    entries(read.query) === entries(genuine.query)
  );
};

describe('a fuzz of the login', () => {
  // dsql §8.9
  it('reads no token that is none without a reason, and throws nothing', async () => {
    const texts = fc.oneof(brokenToken(), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(texts, (text) => {
        const read = readToken(text);
        expect('reason' in read ? read.reason : read.signature.length).toBeDefined();
      }),
      LIMIT,
    );
  });

  // dsql §2.8, §8.9
  it(
    'lets nobody in with a broken token',
    async () => {
      const tokens = brokenToken().filter((text) => !isSameToken(text));
      const property = fc.asyncProperty(tokens, async (text) => {
        expectRefused(await offer(STARTUP, password(text)));
      });
      await fc.assert(property, LIMIT);
      expect(uncaught).toEqual([]);
      await expect.poll(() => test.cluster.quota.open).toBe(0);
    },
    FUZZ_TEST_TIMEOUT_MS,
  );

  it(
    'lets nobody in with a broken startup packet',
    async () => {
      const packets = fc.oneof(
        fc.tuple(fc.nat(STARTUP.length - 1), fc.nat(255)).map(([at, byte]) => {
          const packet = Buffer.from(STARTUP);
          packet[at] = byte;
          return packet;
        }),
        fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        fc
          .dictionary(fc.string({ maxLength: 20 }), fc.string({ maxLength: 40 }))
          .map((more) => wire.startup({ user: 'admin', ...more })),
        fc.string({ maxLength: 60 }).map((options) => wire.startup({ user: 'admin', options })),
      );
      const property = fc.asyncProperty(packets, async (packet) => {
        expectRefused(await offer(packet));
      });
      await fc.assert(property, LIMIT);
      expect(uncaught).toEqual([]);
      await expect.poll(() => test.cluster.quota.open).toBe(0);
      // Who is honest gets in as before.
      const client = await test.connect();
      expect((await client.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    },
    FUZZ_TEST_TIMEOUT_MS,
  );
});
