import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { referenceDocuments } from '../../../scripts/reference/documents.ts';
import { commandArgs, isCommandName } from '../../../src/cli/commands.ts';
import { loadConfig } from '../../../src/config/load.ts';

const root = join(import.meta.dirname, '../../..');
const read = (path: string) => readFile(join(root, path), 'utf8');

async function documents(): Promise<string[]> {
  const top = [
    'README.md',
    'ARCHITECTURE.md',
    'STYLE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'millrace.example.toml',
  ];
  const below = await readdir(join(root, 'docs'), { recursive: true });
  return [...top, ...below.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
}

/** Command lines written as code: in backquotes, or as a line of a block or comment. */
function commandLines(text: string): string[] {
  const inline = [...text.matchAll(/`(?:npx )?(millrace [^`\n]+)`/g)];
  const lines = [...text.matchAll(/^(?:#.*:\s+)?(?:npx )?(millrace [^`\n]+)$/gm)];
  return [...inline, ...lines].map((match) => match[1] as string);
}

/** What is wrong with a command line by the definitions, or an empty list. */
function wrongWith(line: string): string[] {
  const words = line.replace(/[[\]]/g, '').split(/\s+/).slice(1);
  // Names have up to three words.
  const count = [3, 2].find((most) => isCommandName(words.slice(0, most).join(' '))) ?? 1;
  const [name, rest] = [words.slice(0, count).join(' '), words.slice(count)];
  if (name === 'help')
    return rest.every((word) => isCommandName(word) || word === 'COMMAND') ? [] : [line];
  const group = words.filter((word) => word !== '…').join(' ');
  if (Object.keys(commandArgs).some((each) => each.startsWith(`${group} `))) return [];
  if (!isCommandName(name)) return [`${line}: no such command`];
  return rest
    .filter((word) => word.startsWith('--') && word !== '--help')
    .map((word) => word.slice(2).split('=')[0] as string)
    .filter((option) => !Object.hasOwn(commandArgs[name], option.replace(/^no-/, '')))
    .map((option) => `${line}: no option --${option}`);
}

describe('the reference documents', () => {
  it.each([...referenceDocuments(root)])(
    '%s is as generated (npm run docs)',
    async (path, text) => {
      expect(await read(path)).toBe(text);
    },
  );
});

describe('the documents', () => {
  it('name only commands and options that exist', async () => {
    const lines: string[] = [];
    for (const path of await documents()) lines.push(...commandLines(await read(path)));
    expect(lines.length).toBeGreaterThan(8);
    expect(lines.flatMap(wrongWith)).toEqual([]);
    expect(wrongWith('millrace sevre')).toHaveLength(1);
    expect(wrongWith('millrace dev --prot 5')).toHaveLength(1);
  });

  it('name only scripts of npm that exist', async () => {
    const { scripts } = JSON.parse(await read('package.json')) as { scripts: object };
    for (const path of await documents()) {
      for (const [, name = ''] of (await read(path)).matchAll(/`?npm run ([\w:]+)/g)) {
        expect(Object.keys(scripts)).toContain(name);
      }
    }
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['start', 'test']));
  });

  it('link only to files that exist', async () => {
    let checked = 0;
    for (const path of await documents()) {
      const links = [...(await read(path)).matchAll(/\]\(([^)#]+?)\)/g)];
      for (const [, target = ''] of links) {
        if (target.startsWith('http')) continue;
        checked++;
        const file = join(root, path, '..', target);
        await expect(readdir(join(file, '..')), `${path}: ${target}`).resolves.toContain(
          file.split('/').at(-1),
        );
      }
    }
    expect(checked).toBeGreaterThan(5);
  });
});

type Packages = { readonly packages: Readonly<Record<string, { readonly version?: string }>> };

describe('the examples', () => {
  it('pin the versions that are tested here', async () => {
    const locks = await Promise.all(
      ['package-lock.json', 'test/e2e/wrangler/package-lock.json'].map(
        async (path) => (JSON.parse(await read(path)) as Packages).packages,
      ),
    );
    const examples = await readdir(join(root, 'docs/examples'));
    expect(examples.length).toBeGreaterThan(3);
    for (const example of examples) {
      const { dependencies, devDependencies } = JSON.parse(
        await read(`docs/examples/${example}/package.json`),
      ) as Record<string, Readonly<Record<string, string>> | undefined>;
      const pins = Object.entries({ ...dependencies, ...devDependencies });
      expect(pins.length, example).toBeGreaterThan(0);
      for (const [name, version] of pins) {
        const tested = locks.map((packages) => packages[`node_modules/${name}`]?.version);
        expect(tested, `${example}: ${name}`).toContain(version);
      }
    }
  });
});

describe('the configuration', () => {
  it('of the example file is valid, without warnings when it is private', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-example-'));
    const path = join(directory, 'millrace.toml');
    await writeFile(path, await read('millrace.example.toml'), { mode: 0o600 });
    const { config, warnings } = await loadConfig(path, {});
    expect(warnings).toEqual([]);
    expect(config.configurations.map(({ name }) => name)).toEqual(['app', 'reports']);
    await rm(directory, { recursive: true });
  });

  it('that the example comments out is valid too', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-example-'));
    const path = join(directory, 'millrace.toml');
    const example = await read('millrace.example.toml');
    const commented = /^# (address|tls|tls_cert|tls_key|password|ca) = /gm;
    const text = example
      .replace('address = "127.0.0.1"\n', '')
      .replace('password = "change-me"\n', '')
      .replace(commented, '$1 = ');
    const fixtures = join(root, 'test/unit/config/fixtures');
    await copyFile(join(fixtures, 'cert.pem'), join(directory, 'server.crt'));
    await copyFile(join(fixtures, 'key.pem'), join(directory, 'server.key'));
    await copyFile(join(fixtures, 'cert.pem'), join(directory, 'db-ca.pem'));
    await writeFile(path, text, { mode: 0o600 });
    const { config } = await loadConfig(path, { APP_DB_PASSWORD: 'x' });
    expect(config.listeners[0]).toMatchObject({ address: '0.0.0.0', tls: 'required' });
    expect(config.configurations[0]?.origin.ca).not.toBeNull();
    await rm(directory, { recursive: true });
  });

  it('of the README is valid', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-readme-'));
    const path = join(directory, 'millrace.toml');
    const [, toml = ''] = /```toml\n([\s\S]*?)```/.exec(await read('README.md')) ?? [];
    await writeFile(path, toml, { mode: 0o600 });
    const env = { DATABASE_URL: 'postgres://u:p@h/d', WEB_PASSWORD: 'x' };
    const { config } = await loadConfig(path, env);
    expect(config.listeners[0]).toMatchObject({ address: '127.0.0.1', port: 5432 });
    expect(config.configurations[0]?.name).toBe('app');
    await rm(directory, { recursive: true });
  });
});
