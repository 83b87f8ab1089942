import { describe, expect, it, vi } from 'vitest';
import { findAccount } from '../../../src/embedded/account.ts';
import { checkRole } from '../../../src/embedded/cluster.ts';
import { demoSql } from '../../../src/embedded/demo.sql.ts';
import { tailOf } from '../../../src/embedded/failure.ts';
import { quoteLiteral } from '../../../src/embedded/initialize.ts';
import { parsePostmasterFile } from '../../../src/embedded/postmaster.ts';
import { run } from '../../../src/embedded/run.ts';

describe('the user the server runs as', () => {
  const passwd = [
    'root:x:0:0:root:/root:/bin/bash',
    'postgresql:x:7:7::/:/bin/false',
    'postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash',
    'toor:x:0:0::/:/bin/sh',
    '+broken::::::',
  ].join('\n');

  it('is read from its own line and not from one that begins alike', () => {
    expect(findAccount(passwd, 'postgres')).toEqual({ name: 'postgres', uid: 101, gid: 104 });
  });

  it('is never root by another name, nor a line without numbers', () => {
    expect(findAccount(passwd, 'toor')).toBeNull();
    expect(findAccount(passwd, '+broken')).toBeNull();
    expect(findAccount(passwd, 'millrace')).toBeNull();
  });
});

describe('postmaster.pid', () => {
  it('tells the process and that it is ready', () => {
    const text = '4711\n/data\n1700000000\n20001\n\n127.0.0.1\n  123  45\nready   \n';
    expect(parsePostmasterFile(text)).toEqual({ pid: 4711, standalone: false, status: 'ready' });
  });

  it('tells a stand-alone server by its negated id', () => {
    const file = parsePostmasterFile('-4711\n/data\n1700000000\n');
    expect(file).toEqual({ pid: 4711, standalone: true, status: '' });
  });

  it('is of no use when empty or damaged', () => {
    for (const text of ['', '\n', '0\n', 'abc\n']) expect(parsePostmasterFile(text)).toBeNull();
  });
});

describe('a role of the embedded server', () => {
  it('may have any printable password', () => {
    for (const password of ['x', "it's", 'a b;c', '$millrace$', 'über', '\\']) {
      expect(() => checkRole({ user: 'millrace', password })).not.toThrow();
    }
  });

  it('is refused with a password that cannot be handed over, which is not repeated', () => {
    for (const password of ['', 'top\nsecret', 'top\0secret', 'y'.repeat(129)]) {
      let said = '';
      try {
        checkRole({ user: 'millrace', password });
      } catch (error) {
        said = String(error);
      }
      expect(said).toContain('password of millrace');
      expect(said).not.toContain('secret');
      expect(said).not.toContain('yyy');
    }
  });

  it('is refused with a name that would need quotes or is reserved', () => {
    for (const user of ['', 'a"b', 'A', 'pg_x', 'a'.repeat(64), "x'y", '1a']) {
      expect(() => checkRole({ user, password: 'x' })).toThrow('name');
    }
  });

  it('is quoted as a string constant', () => {
    expect(quoteLiteral("it's \\ fine")).toBe("'it''s \\ fine'");
  });
});

describe('what an error repeats', () => {
  it('is the end of the text, without secrets', () => {
    expect(tailOf('a hunter2 b hunter2', ['hunter2', ''])).toBe('a … b …');
    expect(tailOf(`${'x'.repeat(9000)}end`)).toMatch(/^x{1997}end$/);
  });
});

describe('the text of the demo', () => {
  it('is one transaction: no empty line ends a command early', () => {
    expect(demoSql.trim()).not.toMatch(/;\s*\n\s*\n/);
  });
});

describe('running a program', () => {
  const options = { account: null, timeoutMs: 5000 };

  it('never rejects: a program that cannot be started says why', async () => {
    const result = await run('no-such-program', [], options);
    expect(result).toMatchObject({ code: null, stderr: expect.stringContaining('ENOENT') });
    // Refused before there is a process, as is becoming a user one may not become.
    const refused = await run('true', ['\0'], options);
    expect(refused.code).toBeNull();
    expect(refused.stderr).not.toBe('');
  });

  it('hands over the input, and gives no settings of PostgreSQL from the environment', async () => {
    vi.stubEnv('PGPORT', '1');
    const shown = await run('sh', ['-c', 'cat; env'], { ...options, input: 'in\n' });
    vi.unstubAllEnvs();
    expect(shown.stdout).toMatch(/^in\n/);
    expect(shown.stdout).not.toContain('PGPORT');
  });

  it('ends it after its time', async () => {
    const late = await run('sleep', ['30'], { ...options, timeoutMs: 50 });
    expect(late).toMatchObject({ code: null, signal: 'SIGKILL' });
  });

  it('keeps the end of what it says', async () => {
    const long = await run('sh', ['-c', 'yes | head -c 300000; echo end'], options);
    expect(long.stdout.length).toBe(64 * 1024);
    expect(long.stdout).toMatch(/end\n$/);
  });
});
