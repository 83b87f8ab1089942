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

/** Written by npm when everything else is there. */
const DONE = join(HERE, 'node_modules/.package-lock.json');
/** Several files of tests run at once; who makes this directory installs. */
const LOCK = join(tmpdir(), `millrace-clients-${createHash('sha256').update(HERE).digest('hex')}`);

export async function installClients(): Promise<void> {
  const untilMs = performance.now() + INSTALL_TIMEOUT_MS;
  while (!existsSync(DONE)) {
    if (performance.now() > untilMs) throw new Error(`nobody installs here; remove ${LOCK}`);
    if (await takeLock()) {
      try {
        const options = { cwd: HERE, timeoutMs: INSTALL_TIMEOUT_MS };
        await runWell('npm', ['ci', '--no-audit', '--no-fund'], options);
      } finally {
        await rm(LOCK, { recursive: true, force: true });
      }
    } else await sleep(LOCK_POLL_MS);
  }
}

async function takeLock(): Promise<boolean> {
  try {
    await mkdir(LOCK);
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

  private constructor(home: string, api: Api) {
    this.home = home;
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

  static async make(api: Api): Promise<Wrangler> {
    return new Wrangler(await mkdtemp(join(tmpdir(), 'millrace-wrangler-')), api);
  }

  /** What it takes in the environment besides `extra`. */
  get env(): NodeJS.ProcessEnv {
    return this.#env;
  }

  static readonly package = join(HERE, 'node_modules/wrangler');
  static readonly program = join(Wrangler.package, 'bin/wrangler.js');

  run(args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<CommandResult> {
    const env = { ...this.#env, ...extra };
    return run(process.execPath, [Wrangler.program, ...args], { env, cwd: this.home });
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
