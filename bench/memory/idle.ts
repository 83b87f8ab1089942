/** What a client costs that is connected and silent. */
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import type { Subject } from '../cases/case.ts';
import { logInAll } from '../clients/logins.ts';
import type { Figures } from '../report/figures.ts';
import { openFilesMax, settledKiB } from '../system/resident.ts';
import { tlsFiles } from '../system/scratch.ts';
import { HOST } from '../ways/address.ts';
import { Child } from '../ways/child.ts';
import type { Scene } from '../ways/scene.ts';

const CLIENTS = 10_000;
/** Files that a process has open besides its clients. */
const OTHER_FILES = 500;
/** Clients that are there before: code is compiled by then, and the pools have their links. */
const EARLIER_CLIENTS = 300;
const AT_ONCE = 8;

type IdleSubject = Extract<Subject, { readonly kind: 'idle' }>;

/** Whatever holds the connections, and how one makes some. */
type Holder = {
  readonly pids: readonly number[];
  open(count: number): Promise<readonly Socket[]>;
  stop(): Promise<void>;
};

async function startBare(scene: Scene, isTls: boolean): Promise<Holder> {
  const program = join(import.meta.dirname, 'bare-server.js');
  const files = isTls ? tlsFiles(scene.scratch) : null;
  const args = files === null ? [] : [files.cert, files.key];
  const child = new Child('the bare server', process.execPath, [program, ...args], {});
  const port = await child.ready(() => (child.log.includes('\n') ? Number(child.log) : null));
  const dial = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = isTls
        ? connectTls({ host: HOST, port, rejectUnauthorized: false }, () => resolve(socket))
        : connect({ host: HOST, port }, () => resolve(socket));
      socket.on('error', reject);
    });
  const open = async (count: number): Promise<readonly Socket[]> => {
    const sockets: Socket[] = [];
    let left = count;
    const loop = async (): Promise<void> => {
      while (left-- > 0) sockets.push(await dial());
    };
    await Promise.all(Array.from({ length: AT_ONCE }, loop));
    return sockets;
  };
  return { pids: [child.pid], open, stop: () => child.stop('SIGTERM') };
}

async function startHolder(scene: Scene, { server, isTls }: IdleSubject): Promise<Holder> {
  if (server === 'bare') return startBare(scene, isTls);
  const poolSize = 20;
  const pooler = await scene.start(server, [poolSize], isTls);
  const target = { address: pooler.addressOf(poolSize), login: scene.origin.login, isTls };
  return {
    pids: pooler.pids,
    open: async (count) => (await logInAll(target, count)).map(({ socket }) => socket),
    stop: () => pooler.stop(),
  };
}

/** Resident memory for each client, in a process that holds nothing else. */
export async function measureIdle(scene: Scene, subject: IdleSubject): Promise<Figures> {
  const clients = Math.min(CLIENTS, openFilesMax() - OTHER_FILES);
  const holder = await startHolder(scene, subject);
  const sockets: Socket[] = [];
  try {
    sockets.push(...(await holder.open(EARLIER_CLIENTS)));
    const before = await settledKiB(holder.pids);
    sockets.push(...(await holder.open(clients)));
    const after = await settledKiB(holder.pids);
    return { clients, clientKiB: (after - before) / clients };
  } finally {
    for (const socket of sockets) socket.destroy();
    await holder.stop();
  }
}
