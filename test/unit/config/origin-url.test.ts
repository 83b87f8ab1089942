import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { connectionUrl } from '../../../src/cli/dev/connection-strings.ts';
import { readOriginUrl } from '../../../src/config/origin-url.ts';
import { parseOriginUrl } from '../../../src/config/resolve-origin.ts';
import { plainOrigin } from '../../support/origin.ts';

describe('an origin URL', () => {
  it('has the defaults of libpq', () => {
    expect(readOriginUrl('postgres://ada@db').url).toEqual({
      host: 'db',
      port: 5432,
      database: 'ada',
      user: 'ada',
      password: null,
      sslmode: null,
      sslnegotiation: null,
      channelBinding: null,
      caPath: null,
      clientCertPath: null,
      clientKeyPath: null,
      ignored: [],
    });
  });

  it('takes parameters before what stands in front of them', () => {
    const text =
      'postgresql://a:b@h:1/d?user=c&password=e%20f&host=i&port=2&dbname=g&sslmode=require';
    expect(readOriginUrl(text).url).toMatchObject({
      host: 'i',
      port: 2,
      database: 'g',
      user: 'c',
      password: 'e f',
      sslmode: 'require',
    });
  });

  it('passes over what changes nothing, and says so', () => {
    const { url } = readOriginUrl('postgres://u@h/d?application_name=x&gssencmode=prefer');
    expect(url?.ignored).toEqual(['application_name', 'gssencmode']);
  });

  it('reads how TLS and SCRAM are to be done', () => {
    const text = 'postgres://u@h/d?sslmode=require&sslnegotiation=direct&channel_binding=require';
    expect(readOriginUrl(text).url).toMatchObject({
      sslnegotiation: 'direct',
      channelBinding: 'require',
    });
  });

  it('reads sslrootcert=system as libpq does', () => {
    expect(readOriginUrl('postgres://u@h/d?sslrootcert=system').url).toMatchObject({
      sslmode: 'verify-full',
      caPath: null,
    });
    expect(readOriginUrl('postgres://u@h/d?sslrootcert=system&sslmode=require').problem).toContain(
      'verify-full',
    );
  });

  it.each([
    ['mysql://u:SECRET@h/d', 'must begin with'],
    ['postgres://u:SE%zzCRET@h/d', 'not percent-encoded'],
    ['postgres://u:SECRET#x@h/d', 'has a # in it'],
    ['postgres://u:SECRET/x@h/d', 'is not a URL'],
    ['postgres://u:SECRET@/d', 'is not a URL'],
    ['postgres:///d', 'names no host'],
    ['postgres://h/d', 'names no user'],
    ['postgres://u:SECRET@a,b/d', 'several hosts'],
    ['postgres://u:SECRET@%2Frun/d', 'Unix socket'],
    ['postgres://u:SECRET@h:0/d', 'port'],
    ['postgres://u:SECRET@h/d?sslmode=maybe', 'sslmode must be one of'],
    ['postgres://u:SECRET@h/d?options=-cSECRET', 'asks for options'],
    ['postgres://u:SECRET@h/d?gssencmode=require', 'asks for another gssencmode'],
    [
      'postgres://u:SECRET@h/d?target_session_attrs=standby',
      'another target_session_attrs than any',
    ],
    ['postgres://u:SECRET@h/d?sslmod=verify-full', 'did you mean sslmode?'],
    ['postgres://u:SECRET@h/d?ssl_mode=SECRET', 'did you mean sslmode?'],
    ['postgres://u:SECRET@h/d?channel_binding=no', 'channel_binding must be one of'],
    ['postgres://u:SECRET@h/d?sslnegotiation=no', 'sslnegotiation must be one of'],
    [`postgres://u:SECRET@h/d?x=${'y'.repeat(9000)}`, 'longer than'],
  ])('is refused without being quoted: %s', (text, what) => {
    const { problem } = readOriginUrl(text);
    expect(problem).toContain(what);
    expect(problem).not.toContain('SECRET');
  });

  it('survives writing and reading, whatever its parts hold', () => {
    const part = fc
      .string({ minLength: 1, maxLength: 20, unit: 'grapheme' })
      .filter((text) => !/\p{Cc}|\p{Cs}/u.test(text));
    fc.assert(
      fc.property(
        part,
        part,
        part,
        fc.integer({ min: 1, max: 65_535 }),
        (user, password, database, port) => {
          const written = connectionUrl({ host: '::1', port, user, password, database });
          expect(readOriginUrl(written).url).toMatchObject({
            host: '::1',
            port,
            user,
            password,
            database,
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('an origin of a URL alone', () => {
  it('is complete', async () => {
    const { origin, warnings } = await parseOriginUrl('postgres://u:file%3Ax@h/d?retries=3');
    expect(origin).toEqual(
      plainOrigin({
        host: 'h',
        port: 5432,
        database: 'd',
        user: 'u',
        password: 'file:x',
        sslmode: 'prefer',
      }),
    );
    expect(warnings).toEqual(['the parameter retries of the URL has no effect']);
  });

  it('is refused when a file it names is not there', async () => {
    await expect(parseOriginUrl('postgres://u@h/d?sslrootcert=nowhere.pem')).rejects.toThrow(
      /URL: ca: cannot read nowhere.pem: there is no such file/,
    );
  });
});
