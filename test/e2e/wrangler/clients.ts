/** Cloudflare's own clients, installed here on first use: they are too large for everybody. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandResult, run, runWell } from '../support/command.ts';

const HERE = import.meta.dirname;
const INSTALL_TIMEOUT_MS = 600_000;
const LOCK_POLL_MS = 200;

/** A wrangler, and the Node that runs it. */
export type Release = {
  readonly name: string;
  /** Where its packages are installed. */
  readonly dir: string;
  readonly node: string;
};

const CURRENT = join(HERE, 'current');
export const oldest: Release = { name: 'wrangler 4.86', dir: HERE, node: process.execPath };
export const current: Release = {
  name: 'a wrangler of today, on Node 24',
  dir: CURRENT,
  node: join(CURRENT, 'node_modules/node/bin/node'),
};

export async function installClients({ dir } = oldest): Promise<void> {
  // Written by npm when everything else is there.
  const done = join(dir, 'node_modules/.package-lock.json');
  // Several files of tests run at once; who makes this directory installs.
  const key = createHash('sha256').update(dir).digest('hex');
  const lock = join(tmpdir(), `millrace-clients-${key}`);
  const untilMs = performance.now() + INSTALL_TIMEOUT_MS;
  while (!existsSync(done)) {
    if (performance.now() > untilMs) throw new Error(`nobody installs here; remove ${lock}`);
    if (await takeLock(lock)) {
      try {
        const options = { cwd: dir, timeoutMs: INSTALL_TIMEOUT_MS };
        await runWell('npm', ['ci', '--no-audit', '--no-fund'], options);
      } finally {
        await rm(lock, { recursive: true, force: true });
      }
    } else await sleep(LOCK_POLL_MS);
  }
}

async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch {
    return false;
  }
}

/** A module of theirs. */
export const requireClient = createRequire(join(HERE, 'package.json'));

export type Api = { readonly url: string; readonly token: string };
export const ACCOUNT = '0123456789abcdef0123456789abcdef';

/** The real wrangler, set to an API of ours, with a home of its own. */
export class Wrangler {
  readonly home: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #release: Release;

  private constructor(home: string, api: Api, release: Release) {
    this.home = home;
    this.#release = release;
    this.#env = {
      CLOUDFLARE_API_BASE_URL: api.url,
      CLOUDFLARE_API_TOKEN: api.token,
      CLOUDFLARE_ACCOUNT_ID: ACCOUNT,
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      CI: '1',
      HOME: home,
    };
  }

  static async make(api: Api, release = oldest): Promise<Wrangler> {
    return new Wrangler(await mkdtemp(join(tmpdir(), 'millrace-wrangler-')), api, release);
  }

  /** What it takes in the environment besides `extra`. */
  get env(): NodeJS.ProcessEnv {
    return this.#env;
  }

  static readonly package = join(HERE, 'node_modules/wrangler');
  static readonly program = join(Wrangler.package, 'bin/wrangler.js');

  run(args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    const env = { ...this.#env, ...extra };
    const { node, dir } = this.#release;
    const program = join(dir, 'node_modules/wrangler/bin/wrangler.js');
    return run(node, [program, ...args], { env, cwd: this.home });
  }

  /** Its standard output; throws with all it said unless it ends well. */
  async well(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code === 0) return stdout;
    throw new Error(`wrangler ${args.join(' ')}: ${code}\n${stdout}\n${stderr}`);
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}
