import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ScramClient } from '../../../src/auth/scram-client.ts';
import { mockVerifier, type ScramVerifier, verifierOf } from '../../../src/auth/scram-keys.ts';
import { ScramServer } from '../../../src/auth/scram-server.ts';
import { type ErrorCode, GatewayError } from '../../../src/base/errors.ts';

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
const SALTED = pbkdf2Sync('pencil', SALT, 4096, 32, 'sha256');
const VERIFIER = verifierOf(SALTED, SALT, 4096);
const NONCE = Buffer.alloc(18, 1).toString('base64');

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

function codeOf(work: () => unknown): ErrorCode | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof GatewayError) return error.code;
    throw error;
  }
}

function exchange(verifier: ScramVerifier, genuine: boolean, password: string): Buffer | null {
  const client = new ScramClient(Buffer.alloc(18, 2).toString('base64'));
  const server = new ScramServer(verifier, genuine, NONCE);
  const request = client.onServerFirst(server.onClientFirst(client.clientFirst()));
  const salted = pbkdf2Sync(password, request.salt, request.iterations, 32, 'sha256');
  const final = server.onClientFinal(client.clientFinal(salted));
  if (final !== null) expect(client.onServerFinal(final)).toBe(true);
  return final;
}

describe('ScramServer', () => {
  it('gives the messages of the example in RFC 7677', () => {
    const server = new ScramServer(VERIFIER, true, '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0');
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    expect(server.onClientFirst(bytes('n,,n=user,r=rOprNGfwEbeRWgbNEkqO')).toString()).toBe(
      `r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`,
    );
    const final = `c=biws,r=${nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`;
    expect(server.onClientFinal(bytes(final))?.toString()).toBe(
      'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    );
  });

  it('accepts the right password and proves its own knowledge', () => {
    expect(exchange(VERIFIER, true, 'pencil')).not.toBeNull();
  });

  it('refuses a wrong password', () => {
    expect(exchange(VERIFIER, true, 'Pencil')).toBeNull();
  });

  it('never accepts a mock, even when the proof fits', () => {
    expect(exchange(VERIFIER, false, 'pencil')).toBeNull();
    expect(exchange(mockVerifier(Buffer.alloc(32), 'u', 'd'), false, 'pencil')).toBeNull();
  });

  it('refuses what it does not support by name', () => {
    for (const message of ['n,a=admin,n=,r=abc', 'n,,m=must,n=,r=abc']) {
      const server = new ScramServer(VERIFIER, true, NONCE);
      expect(
        codeOf(() => server.onClientFirst(bytes(message))),
        message,
      ).toBe('MR_UNSUPPORTED');
    }
  });

  it('takes a client that could bind a channel but sees no offer', () => {
    const server = new ScramServer(VERIFIER, true, NONCE);
    expect(server.onClientFirst(bytes('y,,n=,r=abc')).toString()).toMatch(/^r=abcAQ/);
  });

  it('refuses malformed first messages', () => {
    for (const message of [
      '',
      'n',
      'n,',
      'n,,',
      'x,,n=,r=abc',
      'p=,,n=,r=abc',
      'p=tls-server-end-point,,n=,r=abc',
      'n,,r=abc',
      'n,,n=',
      'n,,n=,r=',
      'n,,n=,r=a\u0001b',
      'n,,n=,r=a\u0000b',
      `n,,n=,r=${'a'.repeat(4000)}`,
    ]) {
      const server = new ScramServer(VERIFIER, true, NONCE);
      expect(
        codeOf(() => server.onClientFirst(bytes(message))),
        message,
      ).toBe('MR_PROTOCOL_VIOLATION');
    }
  });

  it('refuses malformed final messages, and a nonce or binding that is not that of the first', () => {
    const nonce = `abc${NONCE}`;
    const proof = Buffer.alloc(32).toString('base64');
    const final = (message: string): ErrorCode | null => {
      const server = new ScramServer(VERIFIER, true, NONCE);
      server.onClientFirst(bytes('n,,n=,r=abc'));
      return codeOf(() => server.onClientFinal(bytes(message)));
    };
    expect(final(`c=biws,r=${nonce},p=${proof}`)).toBeNull();
    for (const message of [
      '',
      `c=biws,r=${nonce}`,
      `c=eSws,r=${nonce},p=${proof}`,
      `c=biws,r=${nonce}x,p=${proof}`,
      `c=biws,r=abc,p=${proof}`,
      `r=${nonce},c=biws,p=${proof}`,
      `c=biws,r=${nonce},p=`,
      `c=biws,r=${nonce},p=AAAA`,
      `c=biws,r=${nonce},p=${proof}AAAA`,
    ]) {
      expect(final(message), message).toBe('MR_PROTOCOL_VIOLATION');
    }
  });

  it('refuses a final message without a first one', () => {
    const server = new ScramServer(VERIFIER, true, NONCE);
    expect(codeOf(() => server.onClientFinal(bytes('c=biws,r=,p=AAAA')))).toBe(
      'MR_PROTOCOL_VIOLATION',
    );
  });
});

describe('ScramClient', () => {
  const begun = (): { client: ScramClient; nonce: string } => {
    const client = new ScramClient(NONCE);
    const nonce = client.clientFirst().toString().replace('n,,n=,r=', '');
    return { client, nonce };
  };

  it('begins without a name and without channel binding', () => {
    expect(new ScramClient(NONCE).clientFirst().toString()).toBe(`n,,n=,r=${NONCE}`);
  });

  it('refuses a server whose nonce does not extend its own', () => {
    const { nonce } = begun();
    for (const theirs of ['', 'zzz', nonce, `x${nonce}y`, `${nonce}\u0001`]) {
      const { client } = begun();
      const code = codeOf(() => client.onServerFirst(bytes(`r=${theirs},s=AAAA,i=4096`)));
      expect(code, theirs).toBe('MR_PROTOCOL_VIOLATION');
    }
  });

  it('refuses iteration counts that are none or would keep it busy', () => {
    for (const count of [
      '0',
      '-1',
      '01',
      '1e3',
      ' 1',
      '',
      '1000001',
      '2147483648',
      '9'.repeat(30),
    ]) {
      const { client, nonce } = begun();
      const code = codeOf(() => client.onServerFirst(bytes(`r=${nonce}x,s=AAAA,i=${count}`)));
      expect(code, count).toBe('MR_PROTOCOL_VIOLATION');
    }
    const { client, nonce } = begun();
    expect(client.onServerFirst(bytes(`r=${nonce}x,s=AAAA,i=1000000`)).iterations).toBe(1_000_000);
  });

  // Fails when the size of a message and the presence of its parts are not checked.
  it('hazard 23, CVE-2026-6665: refuses a huge nonce, a missing salt, and a mandatory extension', () => {
    for (const rest of [`${'x'.repeat(5000)},s=AAAA,i=1`, 'x,s=,i=1', 'x,s=!,i=1', 'x,i=1', 'x']) {
      const { client, nonce } = begun();
      expect(codeOf(() => client.onServerFirst(bytes(`r=${nonce}${rest}`)))).toBe(
        'MR_PROTOCOL_VIOLATION',
      );
    }
    const { client, nonce } = begun();
    expect(codeOf(() => client.onServerFirst(bytes(`m=x,r=${nonce}x,s=AAAA,i=1`)))).toBe(
      'MR_PROTOCOL_VIOLATION',
    );
  });

  it('does not believe a server with a wrong signature, an error or none', () => {
    const final = (message: string): boolean => {
      const { client, nonce } = begun();
      client.onServerFirst(bytes(`r=${nonce}x,s=AAAA,i=1`));
      client.clientFinal(SALTED);
      return client.onServerFinal(bytes(message));
    };
    expect(final(`v=${Buffer.alloc(32).toString('base64')}`)).toBe(false);
    expect(final('v=')).toBe(false);
    expect(final('e=other-error')).toBe(false);
    expect(codeOf(() => final('x=1'))).toBe('MR_PROTOCOL_VIOLATION');
  });

  it('refuses messages out of order', () => {
    const client = new ScramClient(NONCE);
    expect(codeOf(() => client.onServerFirst(bytes('r=x,s=AAAA,i=1')))).toBe(
      'MR_PROTOCOL_VIOLATION',
    );
    expect(codeOf(() => client.clientFinal(SALTED))).toBe('MR_PROTOCOL_VIOLATION');
    expect(codeOf(() => client.onServerFinal(bytes('v=AAAA')))).toBe('MR_PROTOCOL_VIOLATION');
  });
});
