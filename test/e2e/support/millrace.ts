/** `millrace dev` and `millrace serve`, running and ready to be connected to. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { millrace, type Program, plainEnvironment } from './program.ts';

export type Dev = {
  readonly program: Program;
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly originUrl: string;
  /** Undefined with `--origin`. */
  readonly adminUrl: string | undefined;
  readonly api: { readonly url: string; readonly token: string };
};

export type DevReady = {
  readonly gateway: { readonly url: string; readonly host: string; readonly port: number };
  readonly origin: { readonly url: string; readonly adminUrl?: string };
  readonly api: { readonly url: string; readonly token: string };
};

/** Waits for the line of `dev --json`; ends the program when it does not come. */
export async function devReady(program: Program): Promise<Dev> {
  try {
    const [, line = ''] = await program.says('stdout', /^(.*)\n/);
    const { gateway, origin, api } = JSON.parse(line) as DevReady;
    return { program, ...gateway, originUrl: origin.url, adminUrl: origin.adminUrl, api };
  } catch (error) {
    if (program.isRunning) await program.stop();
    throw error;
  }
}

/** `millrace dev --json` on a free port, without a DSQL cluster, which takes seconds to make. */
export function startDev(args: readonly string[] = ['--ephemeral']): Promise<Dev> {
  return devReady(millrace(['dev', '--json', '--port', '0', '--no-dsql', ...args]));
}

export type PoolMode = 'transaction' | 'session';
export const POOL_MODES: readonly PoolMode[] = ['transaction', 'session'];

/** What a test says of its configuration file; the rest is as the defaults have it. */
export type ServeSettings = {
  readonly originUrl: string;
  readonly poolMode?: PoolMode;
  readonly links?: number;
  /** Name of the configuration, which is what clients take for the database. */
  readonly name?: string;
  /** Who may come in, in place of `USER`. */
  readonly user?: string;
  /** More lines of these tables. */
  readonly top?: string;
  readonly listener?: string;
  readonly configuration?: string;
  readonly origin?: string;
  readonly timeouts?: string;
  /** More tables, at the end. */
  readonly rest?: string;
};

export const USER = 'web';
/** With what percent-encoding and shells stumble over. */
export const PASSWORD = "p@ss word'%1";

export function configText(settings: ServeSettings, port = 0): string {
  return `${settings.top ?? ''}
[[listeners]]
port = ${port}
${settings.listener ?? ''}
[[configurations]]
name = "${settings.name ?? 'app'}"
origin_connection_limit = ${settings.links ?? 4}
pool_mode = "${settings.poolMode ?? 'transaction'}"
${settings.configuration ?? ''}
[configurations.origin]
url = "env:ORIGIN_URL"
${settings.origin ?? ''}
[configurations.timeouts]
${settings.timeouts ?? ''}
[[configurations.credentials]]
user = "${settings.user ?? USER}"
password = "env:WEB_PASSWORD"
${settings.rest ?? ''}`;
}

export function clientUrl(port: number, database = 'app', host = '127.0.0.1', user = USER): string {
  return `postgres://${user}:${encodeURIComponent(PASSWORD)}@${host}:${port}/${database}`;
}

/** `millrace serve` over a file in a directory of its own. */
export class Serve {
  readonly program: Program;
  readonly dir: string;
  readonly configPath: string;
  readonly port: number;
  readonly url: string;

  constructor(program: Program, dir: string, configPath: string, port: number, url: string) {
    this.program = program;
    this.dir = dir;
    this.configPath = configPath;
    this.port = port;
    this.url = url;
  }

  /** Ends it politely, checks that it was, and removes its directory. */
  async stop(): Promise<void> {
    const exit = await this.program.stop();
    await rm(this.dir, { recursive: true, force: true });
    if (exit.code !== 0) throw new Error(`did not end well: ${this.program.describe()}`);
  }

  /** The log lines so far. */
  log(): Record<string, unknown>[] {
    const lines = this.program.stderr.split('\n').filter((line) => line.startsWith('{'));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

export async function startServe(
  settings: ServeSettings,
  env: NodeJS.ProcessEnv = {},
): Promise<Serve> {
  const dir = await mkdtemp(join(tmpdir(), 'millrace-e2e-'));
  const configPath = join(dir, 'millrace.toml');
  await writeFile(configPath, configText(settings));
  const secrets = { ORIGIN_URL: settings.originUrl, WEB_PASSWORD: PASSWORD };
  const program = millrace(['serve', '--config', configPath], {
    cwd: dir,
    env: plainEnvironment({ ...secrets, ...env }),
  });
  try {
    const [, port] = await program.says('stderr', /"port":(\d+)[^\n]*"listening"/);
    const url = clientUrl(Number(port), settings.name, undefined, settings.user);
    return new Serve(program, dir, configPath, Number(port), url);
  } catch (error) {
    if (program.isRunning) await program.stop();
    await rm(dir, { recursive: true, force: true });
    throw error;
  }
}
