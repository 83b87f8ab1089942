/**
 * The program with a given configuration in a process of its own, so that its memory can be told
 * from the test's. It runs from `dist`, as users run it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestDatabase } from './pg.ts';
import { WireClient, type WireTarget } from './wire.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const PROBE = new URL('./memory-probe.mjs', import.meta.url).href;
const PROBED = ['--expose-gc', '--import', PROBE];
const START_WITHIN_MS = 60_000;
/** Characters of its log that are kept to be shown when it does not start. */
const SAID_MAX = 4_000;

export class GatewayChild {
  readonly target: WireTarget;
  readonly #process: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, target: WireTarget, directory: string) {
    this.#process = child;
    this.target = target;
    this.#directory = directory;
  }

  /** One link, transaction mode. */
  static async start(database: TestDatabase): Promise<GatewayChild> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-child-'));
    const password = randomBytes(12).toString('hex');
    const port = await freePort();
    const file = join(directory, 'millrace.toml');
    await writeFile(file, configText(port), { mode: 0o600 });
    const child = spawn(process.execPath, [...PROBED, MAIN, 'serve', '--config', file], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...process.env,
        ORIGIN_URL: `${database.url}?sslmode=disable`,
        WEB_PASSWORD: password,
      },
    });
    const target = { host: '127.0.0.1', port, user: 'web', password, database: 'app' };
    const gateway = new GatewayChild(child, target, directory);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-SAID_MAX);
    });
    try {
      await gateway.#untilReady();
    } catch (error) {
      await gateway.stop();
      throw new Error(`the gateway did not start: ${said}`, { cause: error });
    }
    return gateway;
  }

  connect(): Promise<WireClient> {
    return WireClient.connect(this.target);
  }

  /** Bytes that it holds, in V8's heap and outside, when nothing is left to collect. */
  async heldBytes(): Promise<number> {
    const told = once(this.#process, 'message');
    this.#process.send('tell');
    const [bytes] = await told;
    return Number(bytes);
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
    await rm(this.#directory, { recursive: true });
  }

  async #untilReady(): Promise<void> {
    const untilMs = Date.now() + START_WITHIN_MS;
    for (;;) {
      try {
        const client = await this.connect();
        await client.end();
        return;
      } catch (error) {
        if (this.#process.exitCode !== null || Date.now() > untilMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

const configText = (port: number): string => `
# What is measured is the process that was started.
workers = 1
[[listeners]]
port = ${port}
[[configurations]]
name = "app"
origin_connection_limit = 1
[configurations.origin]
url = "env:ORIGIN_URL"
[[configurations.credentials]]
user = "web"
password = "env:WEB_PASSWORD"
`;

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
