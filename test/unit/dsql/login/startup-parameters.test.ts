import { describe, expect, it } from 'vitest';
import { checkParameters } from '../../../../src/dsql/login/startup-parameters.ts';

const check = (name: string, value: string) => () => checkParameters(new Map([[name, value]]));

describe('checkParameters', () => {
  it.each(['UTF8', 'utf-8', "'utf-8'", 'Unicode', 'utf_8'])(
    'takes client_encoding %s, as PostgreSQL reads it',
    (value) => {
      expect(check('client_encoding', value)).not.toThrow();
    },
  );

  it.each(['latin1', 'SQL_ASCII', '', 'utf88'])('refuses client_encoding %j', (value) => {
    expect(check('client_encoding', value)).toThrow('invalid value for parameter');
  });

  it('refuses settings that are not allowed', () => {
    expect(check('statement_timeout', '1')).toThrow(
      'setting configuration parameter "statement_timeout" not supported',
    );
  });
});
