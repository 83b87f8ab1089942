import { describe, expect, it } from 'vitest';
import {
  createdDraft,
  patchedDraft,
  replacedDraft,
  touchesOrigin,
} from '../../../src/control/configuration-change.ts';
import { configurationInput } from '../../../src/control/schemas/configuration.ts';
import { draftOf } from '../../support/store.ts';

const ORIGIN = {
  scheme: 'postgres',
  host: 'db.example.com',
  port: 5432,
  database: 'app',
  user: 'u',
  password: 'pw',
} as const;

const before = draftOf('app', {
  caching: { disabled: false, max_age: 30, stale_while_revalidate: 5 },
  mtls: { sslmode: 'verify-full', ca_certificate_id: 'ca' },
  originConnectionLimit: 9,
});

describe('a created configuration', () => {
  it('has the defaults for what was left out', () => {
    expect(createdDraft({ name: 'app', origin: { ...ORIGIN, scheme: undefined } })).toEqual({
      name: 'app',
      origin: {
        scheme: 'postgresql',
        host: 'db.example.com',
        port: 5432,
        database: 'app',
        user: 'u',
      },
      originPassword: 'pw',
      caching: { disabled: false },
      mtls: {},
      originConnectionLimit: null,
    });
  });

  it('needs a whole origin, and says what is missing', () => {
    const origin = { ...ORIGIN, port: undefined, password: undefined };
    expect(() => createdDraft({ name: 'app', origin })).toThrow('origin.port, origin.password');
  });

  it.each([
    [{ access_client_id: 'x', access_client_secret: 'y' }, 2104, 'Access'],
    [{ service_id: 'x' }, 2104, 'VPC'],
    [{ scheme: 'mysql' as const }, 2109, 'PostgreSQL'],
  ])('is refused with an origin of a kind that is not for us', (extra, code, word) => {
    const make = () => createdDraft({ name: 'app', origin: { ...ORIGIN, ...extra } });
    expect(make).toThrow(expect.objectContaining({ code, message: expect.stringContaining(word) }));
  });

  it('has no times of a cache that is off', () => {
    const caching = { disabled: true, max_age: 5 };
    expect(() => createdDraft({ name: 'app', origin: ORIGIN, caching })).toThrow('max_age');
  });
});

describe('PUT', () => {
  it('resets what is left out of caching, and keeps mtls and the limit', () => {
    const after = replacedDraft(before, { name: 'b', origin: ORIGIN });
    expect(after).toMatchObject({ name: 'b', caching: { disabled: false } });
    expect(after.caching).not.toHaveProperty('max_age');
    expect(after.mtls).toEqual(before.mtls);
    expect(after.originConnectionLimit).toBe(9);
  });

  it('needs the password', () => {
    const origin = { ...ORIGIN, password: undefined };
    expect(() => replacedDraft(before, { name: 'b', origin })).toThrow('origin.password');
  });
});

describe('PATCH', () => {
  it('changes nothing when it says nothing', () => {
    expect(patchedDraft(before, {})).toEqual(before);
    expect(touchesOrigin(before, patchedDraft(before, {}))).toBe(false);
  });

  it('changes what belongs to the database alone', () => {
    const after = patchedDraft(before, { origin: { user: 'v', password: 'new' } });
    expect(after.origin).toEqual({ ...before.origin, user: 'v' });
    expect(after.originPassword).toBe('new');
    expect(touchesOrigin(before, after)).toBe(true);
  });

  it('takes host and port together only', () => {
    expect(() => patchedDraft(before, { origin: { host: 'h' } })).toThrow('origin.port');
    expect(() => patchedDraft(before, { origin: { port: 1 } })).toThrow('origin.host');
  });

  it('sends a password that nobody can read to no other host', () => {
    const origin = { host: 'elsewhere.example.com', port: 5432 };
    expect(() => patchedDraft(before, { origin })).toThrow('origin.password');
    const same = { host: before.origin.host, port: before.origin.port };
    expect(patchedDraft(before, { origin: same })).toEqual(before);
  });

  it('discards the times of a cache that it disables, and merges them otherwise', () => {
    expect(patchedDraft(before, { caching: { disabled: true } }).caching).toEqual({
      disabled: true,
    });
    expect(patchedDraft(before, { caching: { max_age: 7 } }).caching).toEqual({
      disabled: false,
      max_age: 7,
      stale_while_revalidate: 5,
    });
    const off = patchedDraft(before, { caching: { disabled: true } });
    expect(() => patchedDraft(off, { caching: { max_age: 7 } })).toThrow('max_age');
  });

  it('returns the limit to its default by null', () => {
    expect(
      patchedDraft(before, { origin_connection_limit: null }).originConnectionLimit,
    ).toBeNull();
  });
});

describe('what is sent', () => {
  it.each([
    [{ name: '', origin: ORIGIN }],
    [{ name: 'x'.repeat(64), origin: ORIGIN }],
    [{ name: 'a\0b', origin: ORIGIN }],
    [{ name: 'a', origin: { ...ORIGIN, port: 0 } }],
    [{ name: 'a', origin: { ...ORIGIN, host: 'a,b' } }],
    [{ name: 'a', origin: { ...ORIGIN, scheme: 'http' } }],
    [{ name: 'a', origin: ORIGIN, origin_connection_limit: 4 }],
    [{ name: 'a', origin: ORIGIN, origin_connection_limit: 1_501 }],
    [{ name: 'a', origin: ORIGIN, caching: { max_age: 3_601 } }],
    [{ name: 'a', origin: ORIGIN, mtls: { sslmode: 'maybe' } }],
    [{ origin: ORIGIN }],
    [null],
    [[]],
  ])('is refused when it is wrong: %j', (body) => {
    expect(configurationInput.safeParse(body).success).toBe(false);
  });
});
