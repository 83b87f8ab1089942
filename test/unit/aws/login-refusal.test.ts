import { describe, expect, it } from 'vitest';
import { isBusy, isLoginRefusal, judgeRefusal } from '../../../src/aws/login-refusal.ts';

const PAM = 'PAM authentication failed for user "u"';
const DENIED = 'unable to accept connection, access denied';
const NO_TLS = 'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption';

describe('a refusal of a login', () => {
  it.each([
    ['28000', PAM, '', 'stale'],
    ['28P01', 'password authentication failed for user "u"', '', 'stale'],
    ['28000', NO_TLS, '', 'refused'],
    [
      '28000',
      'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL off',
      '',
      'refused',
    ],
    ['28000', 'IAM authentication failed for user "u"', '', 'stale'],
    ['28000', 'IAM authentication is allowed only with SSL connections.', '', 'refused'],
    ['28000', 'This RDS proxy has no credentials for the role u.', '', 'refused'],
    ['28000', 'This RDS Proxy requires TLS connections.', '', 'refused'],
    ['28000', 'RDS supports only IAM, MD5, or SCRAM authentication.', '', 'refused'],
    [
      '28000',
      'The IAM authentication failed because of too many competing requests.',
      '',
      'refused',
    ],
    ['08006', DENIED, '', 'stale'],
    ['08006', DENIED, 'Signature expired: 1 is now earlier than 2', 'stale'],
    ['08006', DENIED, 'User: x is not authorized to perform: dsql:DbConnectAdmin', 'refused'],
    ['08006', DENIED, 'Wrong user to action mapping. user: admin, action: DbConnect', 'refused'],
    ['53400', 'Unable to accept connection, rate exceeded.', '', 'refused'],
    ['3D000', 'database "d" does not exist', '', 'refused'],
  ] as const)('%s %s %s of a token is %s', (sqlstate, message, hint, verdict) => {
    expect(judgeRefusal('token', sqlstate, message, hint)).toBe(verdict);
  });

  it('of a secret is stale only when the password was wrong', () => {
    expect(judgeRefusal('secret', '28P01', 'password authentication failed', '')).toBe('stale');
    expect(judgeRefusal('secret', '28000', PAM, '')).toBe('refused');
  });

  it('is none where Aurora DSQL or RDS Proxy is busy, or wakes up', () => {
    expect(isBusy('Unable to accept connection, rate exceeded.')).toBe(true);
    expect(isBusy('Unable to accept connection, too many open connections.')).toBe(true);
    expect(isBusy('unable to accept connection, waking up cluster, please retry later')).toBe(true);
    for (const text of [
      'Timed-out waiting to acquire database connection.',
      'Rate of connection to proxy exceeded 1000 connections per second.',
      'The maximum number of client connections to the proxy exceeded 4000.',
      'The IAM authentication failed because of too many competing requests.',
    ]) {
      expect(isBusy(text), text).toBe(true);
    }
    expect(isBusy('IAM authentication failed for user "u"')).toBe(false);
    expect(isBusy(DENIED)).toBe(false);
    expect(isBusy('sorry, too many clients already')).toBe(false);
  });

  it('is one by its class, and at Aurora DSQL by its text', () => {
    expect(isLoginRefusal('28000', PAM)).toBe(true);
    expect(isLoginRefusal('08006', DENIED)).toBe(true);
    expect(isLoginRefusal('08006', 'connection failure')).toBe(false);
  });
});
