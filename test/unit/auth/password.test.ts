import { describe, expect, it } from 'vitest';
import { md5Answer } from '../../../src/auth/password.ts';

describe('md5Answer', () => {
  it('is what PostgreSQL computes for user, password and salt', () => {
    // select 'md5' || md5(convert_to(md5('secretm'), 'UTF8') || '\x01020304') in PostgreSQL 15
    expect(md5Answer('m', 'secret', Buffer.from([1, 2, 3, 4]))).toBe(
      'md5b441c8c79190ee049d2b529b74d69aa7',
    );
  });
});
