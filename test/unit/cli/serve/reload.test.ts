import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { FileWatches } from '../../../../src/cli/serve/file-watches.ts';
import { Reloader } from '../../../../src/cli/serve/reloader.ts';
import { watchFile } from '../../../../src/cli/serve/watch-file.ts';
import { loadConfig } from '../../../../src/config/load.ts';
import type { MillraceConfig } from '../../../../src/config/model.ts';
import { minimal } from '../../config/workspace.ts';

let directory = '';

async function file(text: string): Promise<string> {
  directory = await mkdtemp(join(tmpdir(), 'millrace-reload-'));
  const path = join(directory, 'millrace.toml');
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function reloaderOf(path: string) {
  const load = () => loadConfig(path, {});
  const applied: MillraceConfig[] = [];
  const lines: string[] = [];
  const tell = (level: string) => (fields: object, message: string) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const log = {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
  };
  const apply = async (config: MillraceConfig) => {
    applied.push(config);
  };
  const reloader = new Reloader((await load()).config, { load, apply, log });
  return { reloader, applied, lines };
}

describe('a reload', () => {
  it('applies what changed and logs names, never values', async () => {
    const path = await file(minimal);
    const { reloader, applied, lines } = await reloaderOf(path);
    await writeFile(path, minimal.replace('"pw"', '"hunter2"'));
    await reloader.request('test');
    expect(applied).toHaveLength(1);
    expect(reloader.current).toBe(applied[0]);
    expect(lines).toEqual([
      'info configuration reloaded {"reason":"test","configurationsChanged":["app credentials"]}',
    ]);
  });

  it('keeps the old configuration when the new one is not valid', async () => {
    const path = await file(minimal);
    const { reloader, applied, lines } = await reloaderOf(path);
    const before = reloader.current;
    await writeFile(path, minimal.replace('host', 'hots'));
    await reloader.request('test');
    expect(applied).toEqual([]);
    expect(reloader.current).toBe(before);
    expect(lines.at(-1)).toContain('error configuration not reloaded');
    expect(lines[0]).toContain('did you mean host?');
    await writeFile(path, minimal);
    await reloader.request('again');
    expect(lines.at(-1)).toContain('unchanged');
  });

  it('asked for during another runs once more, whatever the number of requests', async () => {
    const path = await file(minimal);
    const { reloader, lines } = await reloaderOf(path);
    await Promise.all([1, 2, 3, 4].map((count) => reloader.request(String(count))));
    expect(lines).toHaveLength(2);
  });
});

describe('watching a file', () => {
  it('sees it written, replaced, and its link moved, but not other files', async () => {
    const path = await file('1');
    const onChange = vi.fn();
    const onError = vi.fn();
    const watcher = await watchFile(path, { onChange, onError });
    await writeFile(path, '2');
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(1), 5000);
    await writeFile(`${path}.new`, '3');
    await rename(`${path}.new`, path);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(2), 5000);
    await writeFile(join(directory, 'target'), '4');
    await rm(path);
    await symlink('target', path);
    await vi.waitFor(() => expect(onChange).toHaveBeenCalledTimes(3), 5000);
    await writeFile(join(directory, 'other'), 'x');
    await writeFile(join(directory, 'target'), '4');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(onChange).toHaveBeenCalledTimes(3);
    watcher.close();
    await writeFile(path, '5');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(onChange).toHaveBeenCalledTimes(3);
    expect(onError).not.toHaveBeenCalled();
  });
});

describe('watching the files of a configuration', () => {
  const files = async (...names: string[]) => {
    const found = [];
    for (const name of names) {
      const path = join(directory, name);
      const hash = createHash('sha256')
        .update(await readFile(path))
        .digest('hex');
      found.push({ path, hash });
    }
    return found;
  };

  it('tells which changed, also between its reading and the watch, and follows the list', async () => {
    const path = await file('1');
    await writeFile(join(directory, 'a'), '1');
    const changed: string[] = [];
    const onError = vi.fn();
    const watches = new FileWatches({ onChange: (name) => changed.push(basename(name)), onError });
    const early = await files('millrace.toml', 'a');
    await writeFile(path, '2');
    await watches.follow(early);
    await vi.waitFor(() => expect(changed).toEqual(['millrace.toml']), 5000);
    await writeFile(join(directory, 'a'), '2');
    await vi.waitFor(() => expect(changed).toEqual(['millrace.toml', 'a']), 5000);
    await watches.follow(await files('a'));
    await writeFile(path, '3');
    await writeFile(join(directory, 'a'), '3');
    await vi.waitFor(() => expect(changed).toEqual(['millrace.toml', 'a', 'a']), 5000);
    watches.close();
    await writeFile(join(directory, 'a'), '4');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(changed).toHaveLength(3);
    expect(onError).not.toHaveBeenCalled();
  });

  it('says once when a configuration names too many', async () => {
    await file('1');
    const onError = vi.fn();
    const watches = new FileWatches({ onChange: () => {}, onError });
    const many = Array.from({ length: 1_001 }, (_, at) => ({
      path: join(directory, `secret${at}`),
      hash: '',
    }));
    await watches.follow(many);
    await watches.follow(many);
    watches.close();
    expect(onError).toHaveBeenCalledTimes(1);
    expect(String(onError.mock.calls[0]?.[0])).toContain('more than 1000 files');
  });

  it('is told every file that a configuration was read from', async () => {
    const path = await file(minimal.replace('"pw"', '"file:web.pw"'));
    await writeFile(join(directory, 'web.pw'), 'x', { mode: 0o600 });
    expect((await loadConfig(path, {})).files).toEqual(await files('web.pw'));
  });
});
