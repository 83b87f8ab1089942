import { describe, expect, it } from 'vitest';
import { adviceFor, hostKind } from '../../../../src/cli/doctor/findings.ts';
import { OriginRejection } from '../../../../src/origin/login.ts';

const END = 'abc123.eu-west-1.rds.amazonaws.com';

/** What the doctor advises when a server at RDS refuses a login with these words. */
const advised = (sqlstate: string, text: string): string => {
  const { code, detail } = new OriginRejection(sqlstate, text, '');
  return adviceFor(code, detail, 'rds', false);
};

describe('the doctor', () => {
  it.each([
    [`db.${END}`, 'rds'],
    [`db.cluster-${END}`, 'aurora-writer'],
    [`db.cluster-ro-${END}`, 'aurora-reader'],
    [`db.cluster-custom-${END}`, 'aurora-reader'],
    [`db.proxy-${END}`, 'rds-proxy'],
    ['db.global-abc123.global.rds.amazonaws.com', 'aurora-writer'],
    ['db.cluster-ro-abc123.rds.cn-north-1.amazonaws.com.cn', 'aurora-reader'],
    ['db.example.com', 'other'],
    ['db.rds.amazonaws.com', 'other'],
  ])('takes %s for %s', (host, kind) => {
    expect(hostKind(host)).toBe(kind);
  });

  it('knows what is usual at AWS', () => {
    expect(adviceFor('MR_ORIGIN_TIMEOUT', '', 'rds', true)).toContain('Public access');
    expect(adviceFor('MR_ORIGIN_TIMEOUT', '', 'rds', false)).toContain('security group');
    expect(adviceFor('MR_ORIGIN_TLS', 'UNABLE_TO_GET_ISSUER', 'rds', false)).toContain('bundle');
  });

  it.each([
    'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption',
    'no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL off',
    'IAM authentication is allowed only with SSL connections.',
    'This RDS Proxy requires TLS connections.',
  ])('advises TLS when the server says: %s', (text) => {
    expect(advised('28000', text)).toContain('rds.force_ssl');
  });

  it('tells a refused token of IAM from a wrong password', () => {
    const fix = advised('28000', 'PAM authentication failed for user "u"');
    expect(fix).toMatch(/millrace token rds.*rds-db:connect.*iam-db-auth-error/);
    expect(advised('28000', 'IAM authentication failed for user "u"')).toBe(fix);
    expect(advised('28P01', 'password authentication failed for user "u"')).toMatch(/password/);
    expect(advised('3D000', 'database "d" does not exist')).toContain('make the database');
  });
});
