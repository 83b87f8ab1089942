import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/run.ts';
import { minimal } from '../config/workspace.ts';

async function run(...argv: string[]) {
  let out = '';
  let err = '';
  const exitCode = await runCli(argv, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: {},
    usesColor: false,
  });
  return { exitCode, out, err };
}

describe('help', () => {
  it.each([[[]], [['help']], [['--help']], [['-h']]])('is shown for %j', async (argv) => {
    const { exitCode, out, err } = await run(...argv);
    expect([exitCode, err]).toEqual([0, '']);
    for (const name of ['dev', 'serve', 'check-config', 'help']) expect(out).toContain(name);
    expect(out).not.toContain('\u001b');
  });

  it.each([
    ['dev', '--help'],
    ['dev', '--port', '0', '-h'],
    ['help', 'dev'],
  ])('of a command runs nothing: %s %s', async (...argv) => {
    const { exitCode, out, err } = await run(...argv);
    expect([exitCode, err]).toEqual([0, '']);
    for (const option of ['--port', '--origin', '--data-dir', '--ephemeral', '--json']) {
      expect(out).toContain(option);
    }
  });

  it('prints the version of the package', async () => {
    expect(await run('--version')).toEqual({
      exitCode: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      err: '',
    });
  });
});

describe('a wrong command line', () => {
  it.each([
    [['sevre'], 'unknown command, did you mean serve?; see millrace --help'],
    [['help', 'sevre'], 'unknown command, did you mean serve?; see millrace --help'],
    [
      ['config'],
      'config is followed by create, list, get, update, delete, restart, test, purge, credentials; see millrace --help',
    ],
    [['--port', '5'], 'unknown option --port, options follow a command; see millrace --help'],
    [['dev', '--prot=5'], 'unknown option --prot, did you mean --port?; see millrace dev --help'],
    [['dev', '-x'], 'unknown option -x; see millrace dev --help'],
    [['dev', '--no-jsn'], 'unknown option --no-jsn; see millrace dev --help'],
    [
      ['dev', '--json=yes'],
      'option --json takes no value but true or false; see millrace dev --help',
    ],
    [['dev', '--port'], 'option --port needs a value; see millrace dev --help'],
    [['dev', '--port='], 'option --port needs a value; see millrace dev --help'],
    [['dev', '--origin', '--json'], 'option --origin needs a value; see millrace dev --help'],
    [
      ['dev', '--port', '0', '--port', '1'],
      'option --port is given twice; see millrace dev --help',
    ],
    [
      ['dev', '--port', '65536'],
      '--port must be a number from 0 to 65535; see millrace dev --help',
    ],
    [['dev', '--port', '0x10'], '--port must be a number from 0 to 65535; see millrace dev --help'],
    [['dev', 'demo'], 'too many arguments; see millrace dev --help'],
    [
      ['dev', '--ephemeral', '--data-dir', 'x'],
      '--ephemeral and --data-dir exclude each other; see millrace dev --help',
    ],
    [
      ['dev', '--origin', 'postgres://u:SECRET@h/d', '--ephemeral'],
      '--origin and --ephemeral exclude each other; see millrace dev --help',
    ],
    [
      ['dev', '--origin', 'postgres://u:SEC#RET@h/d'],
      '--origin: the URL has a # in it; write it as %23; see millrace dev --help',
    ],
    [['serve'], 'option --config is missing; see millrace serve --help'],
    [
      ['serve', '--config', 'a.toml', '--workers', '0'],
      '--workers must be auto, or a number from 1 to 63; see millrace serve --help',
    ],
    [['check-config'], 'FILE is missing; see millrace check-config --help'],
  ])('%j is one line and exit code 2', async (argv, text) => {
    const err = `millrace: the command line is not valid: ${text}\n`;
    expect(await run(...argv)).toEqual({ exitCode: 2, out: '', err });
  });
});

describe('check-config', () => {
  it('says what a valid file holds', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    const path = join(directory, 'a.toml');
    await writeFile(path, minimal, { mode: 0o600 });
    expect(await run('check-config', path)).toEqual({
      exitCode: 0,
      out: `${path}: valid, 1 listener, 1 configuration\n`,
      err: '',
    });
    await rm(directory, { recursive: true });
  });

  it('prints one line per problem', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
    const path = join(directory, 'a.toml');
    await writeFile(path, `prot = 1\ndrain_timeout_ms = "x"\n${minimal}`, { mode: 0o600 });
    const { exitCode, out, err } = await run('check-config', path);
    expect([exitCode, out]).toEqual([78, '']);
    expect(err.split('\n')).toEqual([
      expect.stringContaining(`millrace: ${path}:1: prot: unknown key "prot"; known are`),
      `millrace: ${path}:2: drain_timeout_ms: must be a whole number from 0 to 3600000`,
      '',
    ]);
    await rm(directory, { recursive: true });
  });

  it('ends with its own code when there is no such file', async () => {
    expect(await run('check-config', '/nowhere.toml')).toEqual({
      exitCode: 66,
      out: '',
      err: 'millrace: cannot read /nowhere.toml: there is no such file\n',
    });
  });
});
