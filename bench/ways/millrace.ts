/** The gateway as its users run it: its own process, started from a configuration file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../system/root.ts';
import type { Scratch, TlsFiles } from '../system/scratch.ts';
import { HOST, type Target } from './address.ts';
import { Child } from './child.ts';
import { CLIENTS_MAX, poolName, type RunningPooler } from './pooler.ts';

const MAIN = join(ROOT, 'dist/main.js');
/** Answers do not end while a case is measured. */
const MAX_AGE_SECONDS = 3600;

/** In which of its forms the gateway is started. */
export type MillraceForm = {
  /** Whether answers may come from memory; else what is measured is the way to the server. */
  readonly hasCache: boolean;
  readonly workers: number;
  /** Clients must use TLS with it; null for plain TCP. */
  readonly tls: TlsFiles | null;
};

export const plainForm: MillraceForm = { hasCache: false, workers: 1, tls: null };

/** One configuration for each pool size, all with the same origin and client. */
export function millraceConfig(
  origin: Target,
  poolSizes: readonly number[],
  { hasCache, workers, tls }: MillraceForm,
): string {
  const { login, address } = origin;
  const configurations = poolSizes.map(
    (poolSize) => `
[[configurations]]
name = "${poolName(poolSize)}"
origin_connection_limit = ${poolSize}
pool_mode = "transaction"

[configurations.origin]
host = "${HOST}"
port = ${address.port}
database = "${address.database}"
user = "${login.user}"
password = "${login.password}"
sslmode = "disable"

[configurations.caching]
${hasCache ? `max_age = ${MAX_AGE_SECONDS}` : 'disabled = true'}

[[configurations.credentials]]
user = "${login.user}"
password = "${login.password}"
`,
  );
  const secure =
    tls === null ? '' : `tls = "required"\ntls_cert = "${tls.cert}"\ntls_key = "${tls.key}"\n`;
  return `workers = ${workers}
[[listeners]]
address = "${HOST}"
port = 0
clients_max = ${CLIENTS_MAX}
${secure}${configurations.join('')}`;
}

/** The port in the line that says that the gateway listens; null while there is none. */
export function listeningPort(log: string): number | null {
  for (const line of log.split('\n')) {
    if (!line.includes('"msg":"listening"')) continue;
    const port = /"port":(\d+)/.exec(line)?.[1] ?? /:(\d+)"\]/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  return null;
}

/** Further arguments for the gateway's Node, such as `--cpu-prof`. */
function nodeArgs(): readonly string[] {
  return (process.env['MILLRACE_BENCH_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '');
}

export async function startMillrace(
  origin: Target,
  poolSizes: readonly number[],
  scratch: Scratch,
  form: MillraceForm,
): Promise<RunningPooler> {
  const path = scratch.fresh('millrace.toml');
  writeFileSync(path, millraceConfig(origin, poolSizes, form), { mode: 0o600 });
  const args = [...nodeArgs(), MAIN, 'serve', '--config', path];
  const child = new Child('the gateway', process.execPath, args, {});
  try {
    const port = await child.ready(() => listeningPort(child.log));
    return {
      pids: [child.pid],
      addressOf: (poolSize) => ({ port, database: poolName(poolSize) }),
      stop: () => child.stop('SIGTERM'),
    };
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
}
