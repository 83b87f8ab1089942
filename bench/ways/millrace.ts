/** The gateway as its users run it: its own process, started from a configuration file. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { HOST, type OriginPlace, poolName, type RunningPooler, type Scratch } from './place.ts';

/** From where the compiled benchmark lies, `bench/results/.build/bench`. */
const MAIN = fileURLToPath(new URL('../../../../dist/main.js', import.meta.url));

/**
 * One configuration for each pool size, all with the same origin and client. What is measured is the
 * way to the server, so no answer comes from memory.
 */
export function millraceConfig(origin: OriginPlace, poolSizes: readonly number[]): string {
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
disabled = true

[[configurations.credentials]]
user = "${login.user}"
password = "${login.password}"
`,
  );
  return `workers = 1\n[[listeners]]\naddress = "${HOST}"\nport = 0\n${configurations.join('')}`;
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

export async function startMillrace(
  origin: OriginPlace,
  poolSizes: readonly number[],
  scratch: Scratch,
  nodeArgs: readonly string[],
): Promise<RunningPooler> {
  const path = scratch.path('millrace.toml');
  writeFileSync(path, millraceConfig(origin, poolSizes), { mode: 0o600 });
  const args = [...nodeArgs, MAIN, 'serve', '--config', path];
  const child = new Child('the gateway', process.execPath, args, {});
  try {
    const port = await child.ready(() => listeningPort(child.log));
    return {
      pid: child.pid,
      addressOf: (poolSize) => ({ port, database: poolName(poolSize) }),
      stop: () => child.stop('SIGTERM'),
    };
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
}
