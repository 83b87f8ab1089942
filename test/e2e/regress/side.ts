/** One of two ways to run the scripts: straight at PostgreSQL, or through the gateway. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plainEnvironment } from '../support/program.ts';

const SCRIPT_TIMEOUT_MS = 120_000;

export class Side {
  readonly #url: string;
  readonly #sources: string;
  readonly #dir: string;

  constructor(url: string, sources: string, dir: string) {
    this.#url = url;
    this.#sources = sources;
    this.#dir = dir;
  }

  /** @param sources the directory `src/test/regress` of PostgreSQL */
  static async make(url: string, sources: string): Promise<Side> {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-regress-'));
    // The server, another account, writes there too.
    await mkdir(join(dir, 'results'));
    for (const path of [dir, join(dir, 'results')]) await chmod(path, 0o777);
    return new Side(url, sources, dir);
  }

  /** All that psql says of a script, under the settings of PostgreSQL's own runner. */
  async run(name: string): Promise<string> {
    const said = join(this.#dir, `${name}.said`);
    const input = await open(join(this.#sources, 'sql', `${name}.sql`));
    const output = await open(said, 'w');
    const args = ['-X', '-a', '-q', '-v', 'HIDE_TABLEAM=on', '-v', 'HIDE_TOAST_COMPRESSION=on'];
    const child: ChildProcess = spawn('psql', [...args, '-d', this.#url], {
      cwd: this.#dir,
      env: plainEnvironment({
        LC_ALL: 'C',
        PGTZ: 'PST8PDT',
        PGDATESTYLE: 'Postgres, MDY',
        PGOPTIONS: '-c intervalstyle=postgres_verbose',
        PG_ABS_SRCDIR: this.#sources,
        PG_ABS_BUILDDIR: this.#dir,
        PG_LIBDIR: '/nowhere',
        PG_DLSUFFIX: '.so',
      }),
      stdio: [input.fd, output.fd, output.fd],
      timeout: SCRIPT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const [code] = await once(child, 'close');
    await input.close();
    await output.close();
    const text = await readFile(said, 'utf8');
    return `${text.replaceAll(this.#dir, '<build>')}\n--- ended with ${code}\n`;
  }

  async remove(): Promise<void> {
    await rm(this.#dir, { recursive: true, force: true });
  }
}
