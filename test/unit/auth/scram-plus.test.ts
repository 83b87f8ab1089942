import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ClientBinding, ScramClient } from '../../../src/auth/scram-client.ts';
import { verifierOf } from '../../../src/auth/scram-keys.ts';
import { ScramServer, type ServerChannel } from '../../../src/auth/scram-server.ts';
import { GatewayError } from '../../../src/base/errors.ts';

const SALT = Buffer.alloc(16, 7);
const VERIFIER = verifierOf(pbkdf2Sync('pencil', SALT, 1, 32, 'sha256'), SALT, 1);
const NONCE = Buffer.alloc(18, 1).toString('base64');
const HASH = Buffer.alloc(32, 0xab);

const OFFERED: ServerChannel = { endPoint: HASH, isBound: false };
const BOUND: ServerChannel = { endPoint: HASH, isBound: true };
const PLAIN: ServerChannel = { endPoint: null, isBound: false };

/** `in`, `wrong`, or the code of the server's refusal with its text. */
function outcome(binding: ClientBinding, channel: ServerChannel, password = 'pencil'): string {
  const client = new ScramClient(NONCE, binding);
  const server = new ScramServer(VERIFIER, true, NONCE, channel);
  try {
    const { salt, iterations } = client.onServerFirst(server.onClientFirst(client.clientFirst()));
    const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
    const final = server.onClientFinal(client.clientFinal(salted));
    if (final === null) return 'wrong';
    return client.onServerFinal(final) ? 'in' : 'impostor';
  } catch (error) {
    if (error instanceof GatewayError) return `${error.code} ${error.clientText}`;
    throw error;
  }
}

describe('SCRAM-SHA-256-PLUS', () => {
  it('lets in who sees the certificate of the server and knows the password', () => {
    expect(outcome(HASH, BOUND)).toBe('in');
    expect(outcome(HASH, BOUND, 'pencils')).toBe('wrong');
  });

  it('refuses who sees another certificate', () => {
    const text = 'MR_CHANNEL_BINDING SCRAM channel binding check failed';
    expect(outcome(Buffer.alloc(32, 0xac), BOUND)).toBe(text);
    expect(outcome(HASH.subarray(1), BOUND)).toBe(text);
  });

  it('refuses who would have bound the channel, had the offer arrived', () => {
    const text = 'MR_CHANNEL_BINDING SCRAM channel binding negotiation error';
    expect(outcome('unoffered', OFFERED)).toBe(text);
    expect(outcome('unoffered', PLAIN)).toBe('in');
    expect(outcome('none', OFFERED)).toBe('in');
    expect(outcome('none', PLAIN)).toBe('in');
  });

  it('refuses a mechanism that is not what the message says', () => {
    for (const [binding, channel] of [
      [HASH, OFFERED],
      [HASH, PLAIN],
      ['none', BOUND],
      ['unoffered', BOUND],
    ] as const) {
      expect(outcome(binding, channel)).toMatch(/^MR_PROTOCOL_VIOLATION/);
    }
  });

  it('refuses other types of binding by name', () => {
    const server = new ScramServer(VERIFIER, true, NONCE, BOUND);
    const unique = Buffer.from('p=tls-unique,,n=,r=abc');
    expect(() => server.onClientFirst(unique)).toThrow('this type of SCRAM channel binding');
  });
});
