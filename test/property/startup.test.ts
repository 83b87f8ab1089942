import { Script } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/base/errors.ts';
import {
  decodeAuthentication,
  decodeSaslInitialResponse,
} from '../../src/protocol/authentication.ts';
import { decodeErrorFields } from '../../src/protocol/error-response.ts';
import { decodeFirstPacket, encodeStartup } from '../../src/protocol/startup.ts';
import { parseOptions } from '../../src/protocol/startup-options.ts';

/** Runs `work`; anything but a GatewayError fails the property. */
function onlyGatewayErrors<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof GatewayError) return null;
    throw error;
  }
}

const text = fc.string({ unit: 'binary', maxLength: 30 }).map((s) => s.replaceAll('\0', ''));

/** Arbitrary bytes behind a length and a version, so that the inner layout is reached too. */
const almostPacket = fc
  .tuple(
    fc.constantFrom(0x30000, 0x30002, 80877102, 80877103, 80877104, 0x20000),
    fc.uint8Array({ maxLength: 200 }),
    fc.integer({ min: -3, max: 3 }),
  )
  .map(([version, rest, skew]) => {
    const bytes = Buffer.alloc(8 + rest.length);
    bytes.writeUInt32BE(Math.max(0, bytes.length + skew));
    bytes.writeUInt32BE(version, 4);
    bytes.set(rest, 8);
    return bytes;
  });

describe('decoders of what arrives before authentication', () => {
  it('never fail otherwise than by a GatewayError', () => {
    const bytes = fc.oneof(
      almostPacket,
      fc.uint8Array({ maxLength: 64 }).map((b) => Buffer.from(b)),
    );
    fc.assert(
      fc.property(bytes, (input) => {
        onlyGatewayErrors(() => decodeFirstPacket(input, 0, input.length));
        onlyGatewayErrors(() => decodeAuthentication(input));
        onlyGatewayErrors(() => decodeSaslInitialResponse(input));
        decodeErrorFields(input, 0, input.length);
      }),
      { numRuns: 2000 },
    );
  });

  it('read any parameters back, whatever arrives first', () => {
    const pairs = fc.uniqueArray(fc.tuple(text, text), {
      selector: ([name]) => name,
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, pairs, fc.nat(), (user, sent, cut) => {
        const special = new Set(['', 'user', 'database', 'replication', 'options']);
        const settings = sent.filter(([name]) => !special.has(name) && !name.startsWith('_pq_.'));
        const bytes = encodeStartup([['user', `u${user}`], ...settings]);
        expect(decodeFirstPacket(bytes, 0, cut % bytes.length)).toBeNull();
        const packet = decodeFirstPacket(bytes, 0, bytes.length);
        if (packet?.kind !== 'startup') throw new Error('no startup packet');
        expect(packet.user).toBe(`u${user}`);
        expect([...packet.parameters]).toEqual(settings);
      }),
    );
  });
});

describe('parseOptions', () => {
  const escaped = (value: string): string => value.replace(/[\\ \t\n\v\f\r]/g, (c) => `\\${c}`);

  // Fails when Switches.read does not go on from a word that it cannot use.
  it('hazard 22, CVE-2026-107349: ends for any text, quickly', () => {
    // Unlike a time limit of the test, this one ends a loop.
    const watchdog = new Script('work()');
    const within1Second = (work: () => void): void =>
      watchdog.runInNewContext({ work }, { timeout: 1_000 });
    for (const one of [
      '-c=',
      '--=',
      '-c =',
      '-- =',
      '\\',
      '-c a=b\\',
      '-c',
      '--',
      '-',
      '=',
      '-c\\',
    ]) {
      within1Second(() => parseOptions(one));
      within1Second(() => parseOptions(`${one} `.repeat(2_500)));
      within1Second(() => parseOptions(one.repeat(2_500)));
    }
    const fragments = fc.constantFrom(
      '-c',
      '-',
      '--',
      '=',
      '\\',
      ' ',
      'a',
      'a=b',
      '-c=',
      '--=',
      '-O',
      '-f',
      's',
    );
    const inputs = fc.oneof(
      fc.array(fragments, { maxLength: 2500 }).map((f) => f.join('')),
      text,
    );
    fc.assert(
      fc.property(inputs, (input) => {
        within1Second(() => {
          // It never throws, and a setting comes of two characters at least.
          expect(parseOptions(input).settings.length).toBeLessThanOrEqual(input.length * 3);
        });
      }),
      { numRuns: 300 },
    );
    within1Second(() => parseOptions('-c a=b '.repeat(1_400)));
    within1Second(() => parseOptions(`-c a=${'\\ '.repeat(5_000)}`));
  });

  it('reads back settings in any of the three forms', () => {
    const setting = fc.tuple(
      fc.constantFrom('-c ', '-c', '--'),
      fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/),
      text,
    );
    fc.assert(
      fc.property(fc.array(setting, { maxLength: 6 }), (settings) => {
        const input = settings.map(([form, name, value]) => `${form}${name}=${escaped(value)}`);
        expect(parseOptions(input.join('  '))).toEqual({
          settings: settings.map(([, name, value]) => ({ name, value })),
          problem: null,
        });
      }),
    );
  });
});
