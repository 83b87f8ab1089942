import { describe, expect, it } from 'vitest';
import { configurationBody } from '../../../../src/cli/config/origin-options.ts';
import { table, wranglerSnippet } from '../../../../src/cli/config/print.ts';
import type { Terminal } from '../../../../src/cli/terminal.ts';
import { withoutAliases } from '../../../../src/cli/usage.ts';

const terminal: Terminal = {
  out: () => {},
  err: () => {},
  env: { PW: 'p%w', EMPTY: '', URL: 'postgresql://u:p%40w@h:1/d?sslmode=verify-full' },
  usesColor: false,
};

describe('the request that options make', () => {
  it('has what was given, and nothing else', () => {
    expect(configurationBody({}, terminal)).toEqual({});
    expect(configurationBody({ 'caching-disabled': true }, terminal)).toEqual({
      caching: { disabled: true },
    });
    const args = { 'origin-host': 'h', 'origin-port': '1', swr: '3', sslmode: 'require' };
    expect(configurationBody(args, terminal)).toEqual({
      origin: { host: 'h', port: 1 },
      caching: { stale_while_revalidate: 3 },
      mtls: { sslmode: 'require' },
    });
  });

  it('respects what a connection string says of TLS, unless an option says otherwise', () => {
    const args = { 'connection-string': 'env:URL' };
    const origin = {
      scheme: 'postgresql',
      host: 'h',
      port: 1,
      database: 'd',
      user: 'u',
      password: 'p@w',
    };
    expect(configurationBody(args, terminal)).toEqual({ origin, mtls: { sslmode: 'verify-full' } });
    const stronger = { ...args, sslmode: 'require' };
    expect(configurationBody(stronger, terminal)['mtls']).toEqual({ sslmode: 'require' });
  });

  it('takes a password from where it is said to be', () => {
    expect(configurationBody({ 'origin-password': 'env:PW' }, terminal)).toEqual({
      origin: { password: 'p%w' },
    });
  });

  it.each([
    [{ 'connection-string': 'postgres://u:p@h/d', database: 'x' }, 'exclude each other'],
    [{ 'connection-string': 'postgres://u@h/d' }, 'no password'],
    [{ 'connection-string': 'mysql://u:secret@h/d' }, 'must begin with postgres'],
    [{ 'connection-string': 'postgres://u:p@h/d?sslrootcert=ca.pem' }, 'upload'],
    [{ 'origin-port': 'x' }, '--origin-port must be a whole number'],
    [{ 'origin-password': 'env:NOWHERE' }, 'not set'],
    [{ 'origin-password': 'env:EMPTY' }, 'is empty'],
    [{ 'origin-password': 'file:/nowhere/at/all' }, 'cannot be read'],
  ])('is refused when they are wrong: %j', (args, text) => {
    const make = () => configurationBody(args, terminal);
    expect(make).toThrow(expect.objectContaining({ code: 'MR_USAGE' }));
    expect(make).toThrow(text);
    expect(make).not.toThrow('secret');
  });
});

describe('other spellings of options', () => {
  it('stand for their own names, in every form, up to --', () => {
    const given = ['--host', 'x', '--port=5', '--json', '--', '--host'];
    const own = ['--origin-host', 'x', '--origin-port=5', '--json', '--', '--host'];
    const aliases = { host: 'origin-host', port: 'origin-port' };
    expect(withoutAliases(given, aliases)).toEqual(own);
  });
});

describe('what is printed', () => {
  it('lines up, and does not steer the terminal', () => {
    expect(table(['A', 'B'], [['xx', '\u001b[31my']])).toBe('A   B\nxx   [31my\n');
  });

  it('can be pasted into wrangler.jsonc', () => {
    expect(JSON.parse(wranglerSnippet('DB', 'id', 'postgres://x'))).toEqual({
      hyperdrive: [{ binding: 'DB', id: 'id', localConnectionString: 'postgres://x' }],
    });
  });
});
