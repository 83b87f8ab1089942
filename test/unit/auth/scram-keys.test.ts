import { pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { saslprep } from '../../../src/auth/saslprep.ts';
import {
  decodeBase64,
  formatVerifier,
  mockVerifier,
  parseVerifier,
  type ScramVerifier,
  verifierOf,
} from '../../../src/auth/scram-keys.ts';

/** Passwords and what PostgreSQL 15 stored in pg_authid for them. */
const STORED_BY_POSTGRESQL: readonly (readonly [string, string])[] = [
  [
    'pencil',
    'SCRAM-SHA-256$4096:cmtvIc55TDq2BaHYk/xGlA==$1J0yhDqiyYzapSKG6ac1s/s4POT5LRMq53WZjKDOIAA=:QnUJZGrGiOj+3qns+Pp2B2dMAqJF4lYV9M+fp9df7rA=',
  ],
  [
    'I\u00adX\u2168',
    'SCRAM-SHA-256$4096:zjHEZTtd0zU5nalwpNxtLw==$o1V2OWeoKHJ3PIjsalP3z6TbxAjwzgXAbqMqJL2OJ/8=:PjdJLkeiss94K3G6bma+reQ+L9jQzFPiDc4MSnDJE2Q=',
  ],
  [
    'a\u06271',
    'SCRAM-SHA-256$4096:NWJMtQlBNMVaVYx7RrBCgw==$QibeyTRWOA/mOxZnQtb/Eng0PbWOBbe1RaMtC5YzpZ0=:t56+V7c13CfnPZgzaSr8wXWFzlC0dQrRO0qX0DnTyzk=',
  ],
  [
    '\u2168\u{1f600}',
    'SCRAM-SHA-256$4096:XjxEklOzNs5h6kKN5/SJ0A==$8BYRTNWB4ggKyO1687SheAolFfQVbmYPtEVemafvjmI=:lpwqh/BUR07Zmbb/mI/FgncW3IJQN46TWKG8ziTNIBE=',
  ],
  [
    '\u00aa\u2003z',
    'SCRAM-SHA-256$4096:yISyX7y8rLcdmlynDPrQGw==$HeluViYUtBoFHzIRyvsILBJXN2gT3V02FxiyZ/IVRPw=:Kup4XpzG4wIWU/zzoJZL5xXwhVtjubpAo1ChwKvAr7w=',
  ],
  [
    'a\u200bb',
    'SCRAM-SHA-256$4096:7dGTytlI1mjDqEeoPiQihw==$9LmrJstIclV/TUx4wUdjIyuFcToqcTZlr00Jdf4P82g=:I4eI4Tc0+izBEn/XCgjMGuQy/dtxXfvzBa726PXwslI=',
  ],
];

function derive(password: string, like: ScramVerifier): ScramVerifier {
  const { salt, iterations } = like;
  const salted = pbkdf2Sync(saslprep(password), salt, iterations, 32, 'sha256');
  return verifierOf(salted, salt, iterations);
}

describe('verifiers', () => {
  it.each(STORED_BY_POSTGRESQL)('of %j are those PostgreSQL stores', (password, stored) => {
    const verifier = parseVerifier(stored) as ScramVerifier;
    expect(formatVerifier(derive(password, verifier))).toBe(stored);
  });

  it('are not read from anything else', () => {
    const [, stored] = STORED_BY_POSTGRESQL[0] as [string, string];
    expect(parseVerifier(stored)).not.toBeNull();
    for (const text of [
      '',
      'md5b441c8c79190ee049d2b529b74d69aa7',
      stored.replace('SCRAM-SHA-256', 'SCRAM-SHA-512'),
      stored.replace('4096', '0'),
      stored.replace('4096', '1000001'),
      stored.replace('4096', '-1'),
      stored.replace('cmtv', 'cm*v'),
      stored.replace('IAA=:', ':'),
      `${stored}x`,
      ` ${stored}`,
    ]) {
      expect(parseVerifier(text), text).toBeNull();
    }
  });
});

describe('decodeBase64', () => {
  it('takes the canonical form only', () => {
    expect(decodeBase64('AQI=')).toEqual(Buffer.from([1, 2]));
    for (const text of ['AQI', 'AQI==', 'AQJ=', 'AQ I=', 'A-_=', '*']) {
      expect(decodeBase64(text), text).toBeNull();
    }
  });
});

describe('mockVerifier', () => {
  it('is the same at every attempt, and another one for another name or secret', () => {
    const secret = Buffer.alloc(32, 7);
    const mock = mockVerifier(secret, 'u', 'd');
    expect(mockVerifier(secret, 'u', 'd')).toEqual(mock);
    expect(mock.salt).toHaveLength(16);
    for (const other of [
      mockVerifier(secret, 'v', 'd'),
      mockVerifier(secret, 'u', 'e'),
      mockVerifier(Buffer.alloc(32, 8), 'u', 'd'),
    ]) {
      expect(other.salt).not.toEqual(mock.salt);
    }
  });
});
