import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../../src/control/endpoints/all.ts';
import { configsPath, eventually, TestControl } from '../../support/control.ts';
import { ACCOUNT } from '../../support/store.ts';

const pki = (name: string) =>
  readFileSync(join(import.meta.dirname, '../../support/pki', name), 'utf8');
const certificatesPath = `/accounts/${ACCOUNT}/mtls_certificates`;
const tokensPath = `/accounts/${ACCOUNT}/millrace/tokens`;

let control: TestControl;

beforeAll(async () => {
  control = await TestControl.start();
});

afterAll(async () => {
  await control.stop();
});

async function canLogIn(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    await client.end();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: '28P01' });
    return false;
  }
}

describe('a credential', () => {
  it('is shown once, listed without its secret, and useless once it is revoked', async () => {
    const { id } = await control.create('credentials');
    const minted = await control.mint(id, { user: 'web' });
    expect(await canLogIn(minted.url)).toBe(true);
    const path = `${configsPath}/${id}/credentials`;
    const listed = await control.call('GET', path);
    expect(listed.result).toMatchObject([{ id: minted.id, user: 'web' }]);
    expect(JSON.stringify(listed)).not.toContain(minted['password']);
    expect(await control.call('POST', path, { user: 'web' })).toMatchObject({ status: 409 });
    await control.call('DELETE', `${path}/${minted.id}`);
    expect(await canLogIn(minted.url)).toBe(false);
    expect(await control.call('DELETE', `${path}/${minted.id}`)).toMatchObject({ status: 404 });
  });

  it('has a password that needs no escaping anywhere', async () => {
    const { id } = await control.create('plain-words');
    for (let count = 0; count < 5; count++) {
      const minted = await control.mint(id);
      expect(minted['password']).toMatch(/^[\w-]{43}$/);
      expect(minted['user']).toMatch(/^client_[0-9a-f]{8}$/);
    }
  });

  it('is rotated: both let clients in for the overlap, and those connected stay', async () => {
    const { id } = await control.create('rotated');
    const first = await control.mint(id, { user: 'web' });
    const client = new pg.Client({ connectionString: first.url });
    await client.connect();
    const path = `${configsPath}/${id}/credentials/${first.id}/rotate`;
    const { result: second } = await control.call('POST', path, { overlap: 1 });
    const url = String(second['connection_string']);
    expect(await canLogIn(url)).toBe(true);
    await control.call('POST', path.replace(first.id, second.id), { overlap: 0 });
    expect(await canLogIn(url)).toBe(false);
    // The first one ends by the clock, which the watch looks at every few seconds.
    await eventually(async () => expect(await canLogIn(first.url)).toBe(false), 12_000);
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  });
});

describe('a certificate', () => {
  it('is uploaded, used, protected while it is used, and deleted', async () => {
    const ca = await control.call('POST', certificatesPath, {
      name: 'ca',
      ca: true,
      certificates: pki('ca.crt'),
    });
    expect(ca.result).toMatchObject({ name: 'ca', ca: true, signature: expect.any(String) });
    const own = await control.call('POST', certificatesPath, {
      ca: false,
      certificates: pki('client.crt'),
      private_key: pki('client.key'),
    });
    expect(own.success).toBe(true);
    const mtls = {
      ca_certificate_id: ca.result.id,
      mtls_certificate_id: own.result.id,
      sslmode: 'prefer',
    };
    await control.create('certified', { mtls });
    const inUse = await control.call('DELETE', `${certificatesPath}/${ca.result.id}`);
    expect(inUse).toMatchObject({ status: 409, errors: [{ code: 2108 }] });
    const swapped = { ca_certificate_id: own.result.id };
    const body = { name: 'swapped', origin: control.originInput(), mtls: swapped };
    const refused = await control.call('POST', configsPath, body);
    expect(refused).toMatchObject({ errors: [{ code: 2105 }] });
    expect(control.said.join('')).not.toContain('PRIVATE KEY');
  });

  it('is deleted when nothing uses it', async () => {
    const body = { ca: true, certificates: pki('other-ca.crt') };
    const { result } = await control.call('POST', certificatesPath, body);
    const path = `${certificatesPath}/${result.id}`;
    expect(await control.call('GET', path)).toMatchObject({ result: { id: result.id } });
    expect(await control.call('DELETE', path)).toMatchObject({ result: { id: result.id } });
    expect(await control.call('GET', path)).toMatchObject({ status: 404 });
  });

  it.each([
    ['no certificate', { ca: true, certificates: 'nothing' }],
    ['private_key must', { ca: false, certificates: pki('client.crt') }],
    [
      'does not belong',
      { ca: false, certificates: pki('client.crt'), private_key: pki('server.key') },
    ],
    [
      'has no private_key',
      { ca: true, certificates: pki('ca.crt'), private_key: pki('server.key') },
    ],
  ])('is refused when %s', async (text, body) => {
    const { errors } = await control.call('POST', certificatesPath, body);
    expect(errors).toMatchObject([{ code: 2100, message: expect.stringContaining(text) }]);
  });
});

describe('odd names and ids', () => {
  const NOWHERE = '0'.repeat(32);

  it.each([
    ['GET', `${configsPath}/${NOWHERE}%00`],
    ['DELETE', `${tokensPath}/x%00`],
    ['GET', `/accounts/${ACCOUNT}/mtls_certificates/x%00`],
  ])('%s %s finds nothing', async (method, path) => {
    expect((await control.call(method, path)).status).toBe(404);
  });

  it('are refused in bodies', async () => {
    const { id } = await control.create('odd');
    const credentials = `${configsPath}/${id}/credentials`;
    const half = await control.call('POST', credentials, { user: 'a\ud800b' });
    expect(half).toMatchObject({ status: 400, errors: [{ code: 2100 }] });
    const body = { mtls: { ca_certificate_id: '\0' } };
    expect((await control.call('PATCH', `${configsPath}/${id}`, body)).status).toBe(400);
  });

  // Fails when the name of a successor is cut in the middle of a character.
  it('are kept whole by a rotation', async () => {
    const { id } = await control.create('odd-rotated');
    const user = `${'a'.repeat(53)}\u{1f600}`;
    const { id: credential } = await control.mint(id, { user });
    const path = `${configsPath}/${id}/credentials/${credential}/rotate`;
    const { status, result } = await control.call('POST', path, {});
    expect(status).toBe(200);
    expect(result['user']).toMatch(/^a{53}_[0-9a-f]{8}$/);
  });
});

describe('a token', () => {
  it('of scope read reads only; a revoked one does nothing', async () => {
    const made = await control.call('POST', tokensPath, { name: 'ci', scope: 'read' });
    const value = String(made.result['value']);
    expect(await control.call('GET', configsPath, undefined, value)).toMatchObject({ status: 200 });
    const verified = await control.call('GET', '/user/tokens/verify', undefined, value);
    expect(verified.result).toMatchObject({ id: made.result.id, status: 'active' });
    for (const [method, path] of [
      ['POST', configsPath],
      ['GET', tokensPath],
      ['DELETE', `${tokensPath}/${made.result.id}`],
    ] as const) {
      const reply = await control.call(method, path, undefined, value);
      expect(reply).toMatchObject({ status: 403, errors: [{ code: 9109 }] });
    }
    await control.call('DELETE', `${tokensPath}/${made.result.id}`);
    expect(await control.call('GET', configsPath, undefined, value)).toMatchObject({ status: 401 });
  });

  // Fails when keys that mean nothing are passed over: the token would never end.
  it('is not made of a body with a slip of the pen', async () => {
    const body = { name: 'slip', expires_on: '2030-01-01T00:00:00Z' };
    const refused = await control.call('POST', tokensPath, body);
    const message = 'The body is not valid: has no place for expires_on';
    expect(refused).toMatchObject({ status: 400, errors: [{ code: 2100, message }] });
    const nameless = await control.call('POST', tokensPath, { expires_in: 0 });
    expect(nameless.errors).toMatchObject([
      { message: 'The body is not valid: name must be given; expires_in must be 1 or more' },
    ]);
  });

  it('ends when it says', async () => {
    const made = await control.call('POST', tokensPath, { name: 'short', expires_in: 1 });
    const value = String(made.result['value']);
    await eventually(async () => {
      const { status } = await control.call('GET', configsPath, undefined, value);
      expect(status).toBe(401);
    });
  });

  it('names who did what in the audit log', async () => {
    const made = await control.call('POST', tokensPath, { name: 'ann', scope: 'write' });
    const body = { name: 'audited', origin: control.originInput() };
    await control.call('POST', configsPath, body, String(made.result['value']));
    const log = await control.call('GET', `/accounts/${ACCOUNT}/millrace/audit_log?per_page=1`);
    expect(log.result).toMatchObject([
      { actor: 'ann', action: 'create', target: 'configuration', target_name: 'audited' },
    ]);
  });

  it('that is guessed too often is not looked at any more', async () => {
    const own = await TestControl.start();
    try {
      for (let count = 0; count < 20; count++) {
        const { status } = await own.call('GET', configsPath, undefined, `guess${count}`);
        expect(status).toBe(401);
      }
      const { status, errors } = await own.call('GET', configsPath);
      expect([status, errors[0]?.code]).toEqual([429, 971]);
    } finally {
      await own.stop();
    }
  });

  it('is needed by every endpoint', async () => {
    for (const { method, path } of endpoints.slice(0, 15)) {
      const url = control.url + path.replaceAll(/\{\w+\}/g, 'a'.repeat(32));
      const response = await fetch(url, { method: method.toUpperCase() });
      expect([path, response.status]).toEqual([path, 401]);
    }
  });
});

describe('requests that nobody means', () => {
  it('are answered in the envelope', async () => {
    const tries = [
      ['GET', '/nothing', undefined, 404],
      ['GET', '/accounts/short/hyperdrive/configs', undefined, 404],
      ['POST', `/accounts/${ACCOUNT}/millrace/audit_log`, '{}', 405],
      ['POST', configsPath, '{', 400],
      ['POST', configsPath, `{"name":"${'x'.repeat(1024 * 1024)}"}`, 413],
    ] as const;
    for (const [method, path, body, status] of tries) {
      expect([path, (await control.call(method, path, body)).status]).toEqual([path, status]);
    }
  });

  it('of any content never make the API fail', async () => {
    const { id } = await control.create('fuzzed');
    const odd = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.constant(null),
      fc.object(),
    );
    const name = fc.constantFrom(
      'name',
      'origin',
      'caching',
      'mtls',
      'user',
      'ca',
      'scope',
      'overlap',
    );
    const body = fc.oneof(fc.dictionary(name, odd), odd);
    const place = fc.oneof(fc.constant(id), fc.string({ minLength: 1, maxLength: 70 }));
    const row = fc.constantFrom(...endpoints);
    await fc.assert(
      fc.asyncProperty(row, place, body, async ({ method, path }, where, content) => {
        const target = path
          .replace('{account_id}', ACCOUNT)
          .replaceAll(/\{\w+\}/g, encodeURIComponent(where));
        const hasBody = method !== 'get' && method !== 'delete';
        const verb = method.toUpperCase();
        const reply = await control.call(verb, target, hasBody ? content : undefined);
        expect(reply.status).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
  });
});
