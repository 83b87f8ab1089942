/** The program of a worker process: everything it is to do comes from the primary process. */
import type { Socket } from 'node:net';
import { GatewayError } from '../../base/errors.ts';
import { withFields } from '../../base/log.ts';
import type { ToPrimary, ToWorker } from '../../gateway/workers/messages.ts';
import { Worker } from '../../gateway/workers/worker.ts';
import { humanLog, jsonLog } from '../logger.ts';
import type { Terminal } from '../terminal.ts';

const terminal: Terminal = {
  out: () => {},
  err: (text) => process.stderr.write(text),
  env: process.env,
  usesColor: process.argv[3] === 'color',
};
const sharedLog = process.argv[2] === 'human' ? humanLog(terminal) : jsonLog(terminal);

const channel = {
  // A message that cannot be sent means that the primary process is gone; see below.
  send: (message: ToPrimary): void => {
    process.send?.(message, undefined, undefined, () => {});
  },
  exit: (): void => process.exit(0),
};

let worker: Worker | null = null;
let isStarting = false;
/** What came before the worker was ready for it. */
const early: (readonly [ToWorker, Socket | undefined])[] = [];

async function start(message: Extract<ToWorker, { kind: 'start' }>): Promise<void> {
  isStarting = true;
  Object.assign(process.env, message.environment);
  process.title = `millrace: worker ${message.number}`;
  const log = withFields(sharedLog, { worker: message.number });
  try {
    worker = await Worker.start(message, channel, log);
  } catch (error) {
    channel.send({ kind: 'failed', reason: GatewayError.from(error).message });
    log.error({ error }, 'a worker cannot start');
    process.exitCode = GatewayError.from(error).row.exitCode;
    process.disconnect();
    return;
  }
  channel.send({ kind: 'ready' });
  for (const [each, socket] of early.splice(0)) worker.onMessage(each, socket);
}

process.title = 'millrace: worker';
process.on('message', (message: ToWorker, socket: Socket | undefined) => {
  if (message.kind === 'start' && !isStarting) void start(message);
  else if (worker === null) early.push([message, socket]);
  else worker.onMessage(message, socket);
});
// The primary process is gone: nobody would replace this one, count its links or end it.
process.on('disconnect', () => {
  if (worker === null) process.exit();
  else void worker.end(0);
});
// A terminal and a service manager signal all processes at once; the primary says what to do.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const) {
  process.on(signal, () => {});
}
