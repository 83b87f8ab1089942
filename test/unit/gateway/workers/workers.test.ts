import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../../src/base/errors.ts';
import { silentLog } from '../../../../src/base/log.ts';
import { devConfig } from '../../../../src/cli/dev/dev-options.ts';
import { parseOriginUrl } from '../../../../src/config/resolve-origin.ts';
import { Worker } from '../../../../src/gateway/workers/worker.ts';
import { Workers } from '../../../../src/gateway/workers/workers.ts';

let directory = '';
const started: Workers[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-workers-'));
});

afterEach(async () => {
  for (const workers of started.splice(0)) await workers.close();
  await rm(directory, { recursive: true, force: true });
});

/** Workers that run a program of the test's, where the real one could not be made to fail so. */
async function start(program: string): Promise<Workers> {
  const path = join(directory, 'program.mjs');
  await writeFile(path, program);
  const { origin } = await parseOriginUrl('postgres://nobody@127.0.0.1:1/nothing');
  const options = { log: silentLog, count: 2, program: { path, args: [] } };
  const workers = await Workers.start(devConfig(origin, 0), options);
  started.push(workers);
  return workers;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  return error instanceof GatewayError ? `${error.code} ${error.message}` : String(error);
}

describe('workers that cannot start', () => {
  it('are those of another version, as after an update of the files', async () => {
    const { origin } = await parseOriginUrl('postgres://nobody@127.0.0.1:1/nothing');
    const secrets = { mockSecret: '', ticketSecret: '' };
    const orders = { config: devConfig(origin, 0), secrets };
    const told = { hasBoard: false, environment: {}, pins: [], news: [] };
    const message = { kind: 'start', version: 0, number: 1, orders, ...told } as const;
    const channel = { send: () => {}, exit: () => {} };
    expect(await codeOf(Worker.start(message, channel, silentLog))).toMatch(
      /^MR_WORKER_FAILED .*another version/,
    );
  });

  it('end the start with their own reason', async () => {
    const said = `process.once('message', () => {
      process.send({ kind: 'failed', reason: 'there is no memory left' });
      setImmediate(() => process.disconnect());
    });`;
    expect(await codeOf(start(said))).toMatch(/^MR_WORKER_FAILED .*there is no memory left$/);
  });

  it('end the start with their exit code when they said nothing', async () => {
    expect(await codeOf(start('process.exit(7);'))).toMatch(/^MR_WORKER_FAILED .*exit code 7/);
  });
});

describe('workers that die again and again', () => {
  const shortLived = `process.on('message', ({ kind }) => {
    if (kind !== 'start') return;
    process.send({ kind: 'ready' });
    setTimeout(() => process.exit(3), 50);
  });`;

  it('are given up in the end, and until then connections wait for one that lives', async () => {
    const workers = await start(shortLived);
    const { port } = workers.addresses()[0] as { port: number };
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    const ended = new Promise((resolve) => client.once('close', resolve));
    expect(await codeOf(workers.failed)).toMatch(/^MR_WORKER_FAILED .*exit code 3/);
    await workers.close();
    await ended;
  }, 60_000);

  it('that do not take their connections lose none to those that do', async () => {
    // The first worker dies with what it was sent; the second takes what comes.
    const workers = await start(`process.on('message', (message, socket) => {
      if (message.kind === 'start') {
        process.send({ kind: 'ready' });
        globalThis.number = message.number;
      }
      if (message.kind === 'close') process.exit();
      if (message.kind !== 'connection') return;
      if (globalThis.number === 1) process.kill(process.pid, 'SIGKILL');
      process.send({ kind: 'taken', id: message.id });
      socket.end('taken by ' + globalThis.number);
    });`);
    const { port } = workers.addresses()[0] as { port: number };
    const heard = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const client = connect(port, '127.0.0.1');
        let text = '';
        for await (const chunk of client) text += chunk;
        return text;
      }),
    );
    expect(heard).toEqual(heard.map(() => 'taken by 2'));
  });
});

describe('a worker whose event loop is blocked', () => {
  it('is replaced, and the other one is not', async () => {
    const workers = await start(`process.on('message', ({ kind }) => {
      if (kind === 'start') process.send({ kind: 'ready' });
      if (kind === 'ping') process.send({ kind: 'pong' });
      if (kind === 'close') process.exit();
      while (kind === 'connection');
    });`);
    const before = workers.processIds();
    const { port } = workers.addresses()[0] as { port: number };
    const client = connect(port, '127.0.0.1');
    client.on('error', () => {});
    const replaced = () => [1, 2].filter((at) => workers.processIds().get(at) !== before.get(at));
    await expect.poll(replaced, { timeout: 30_000, interval: 100 }).toHaveLength(1);
    // The connection was never taken, so the other one has it now, and hangs as well; but not yet.
    await expect.poll(() => workers.processIds().size, { timeout: 10_000 }).toBe(2);
    expect(replaced()).toHaveLength(1);
    client.destroy();
  }, 60_000);
});
