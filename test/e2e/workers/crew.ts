/** `millrace serve` with worker processes, and clients of which one knows in which worker they are. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestDatabase } from '../../support/pg.ts';
import { WireClient, type WireTarget } from '../../support/wire.ts';
import { descendants } from '../support/leftovers.ts';
import {
  configText,
  PASSWORD,
  type Serve,
  type ServeSettings,
  startServe,
  USER,
} from '../support/millrace.ts';

/** Bits of a process ID below the number of the worker. */
const OWN_BITS = 24;

export class Crew {
  readonly serve: Serve;
  readonly target: WireTarget;
  readonly #settings: ServeSettings;

  private constructor(serve: Serve, settings: ServeSettings) {
    this.serve = serve;
    this.#settings = settings;
    const { port } = serve;
    this.target = { host: '127.0.0.1', port, user: USER, password: PASSWORD, database: 'app' };
  }

  static async start(
    database: TestDatabase,
    settings: Partial<ServeSettings> = {},
    workers = 2,
    env: NodeJS.ProcessEnv = {},
  ): Promise<Crew> {
    const { top = '', ...rest } = settings;
    const all = { originUrl: database.url, ...rest, top: `workers = ${workers}\n${top}` };
    return new Crew(await startServe(all, env), all);
  }

  async connect(version?: number): Promise<WireClient> {
    const client = await WireClient.dial(this.target);
    await client.logIn({}, version);
    return client;
  }

  /** A client of that worker. Others that are made on the way leave again. */
  async connectTo(worker: number, version?: number): Promise<WireClient> {
    const others: WireClient[] = [];
    try {
      for (;;) {
        const client = await this.connect(version);
        if (workerOf(client) === worker) return client;
        others.push(client);
        if (others.length > 20) throw new Error(`no client comes to worker ${worker}`);
      }
    } finally {
      for (const other of others) await other.end();
    }
  }

  /** The processes of the workers that are there now. */
  workerPids(): number[] {
    return descendants(this.serve.program.pid);
  }

  /** The process of a worker, as the log last told. */
  pidOf(worker: number): number {
    const ready = this.serve.log().filter((line) => line['worker'] === worker);
    return ready.findLast(({ workerPid }) => workerPid !== undefined)?.['workerPid'] as number;
  }

  /** How often a line was logged. */
  count(message: string): number {
    return this.serve.log().filter(({ msg }) => msg === message).length;
  }

  /** Replaces the configuration, as an editor does. */
  async write(settings: Partial<ServeSettings>): Promise<void> {
    const draft = join(this.serve.dir, 'draft');
    const text = configText({ ...this.#settings, ...settings }, this.serve.port);
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, this.serve.configPath);
  }
}

export function workerOf(client: WireClient): number {
  return client.processId >>> OWN_BITS;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
