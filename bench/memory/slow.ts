/** What a large result costs that its client reads slowly. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Subject } from '../cases/case.ts';
import { RawClient } from '../clients/raw-client.ts';
import type { Figures } from '../report/figures.ts';
import { residentKiB, settledKiB } from '../system/resident.ts';
import type { RunningPooler } from '../ways/pooler.ts';
import type { Scene } from '../ways/scene.ts';

const ROWS = 1024 * 1024;
/** With its header, a row takes 1 KiB. */
const ROW_BYTES = 1013;
const RESULT_BYTES = ROWS * 1024;
/** The client takes so much, then looks away. */
const GULP_BYTES = 4 * 1024 * 1024;
const PAUSE_MS = 25;
const KIB_PER_MIB = 1024;

/** How far the memory of the pooler grows, at its highest, while it passes 1 GB. */
export async function measureSlow(
  scene: Scene,
  { pooler }: Extract<Subject, { readonly kind: 'slow' }>,
): Promise<Figures> {
  const poolSize = 4;
  const running = await scene.start(pooler, [poolSize]);
  try {
    const target = {
      address: running.addressOf(poolSize),
      login: scene.origin.login,
      isTls: false,
    };
    const client = await RawClient.connect(target);
    await client.query('SELECT 1');
    const before = await settledKiB(running.pids);
    const highest = await readSlowly(client, running);
    await client.end();
    return { growthMiB: (highest - before) / KIB_PER_MIB };
  } finally {
    await running.stop();
  }
}

/** Returns the most memory that the pooler had meanwhile. */
async function readSlowly(client: RawClient, { pids }: RunningPooler): Promise<number> {
  let highest = 0;
  let received = 0;
  let sinceGulp = 0;
  const { socket } = client;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.length;
    sinceGulp += chunk.length;
    if (sinceGulp < GULP_BYTES) return;
    sinceGulp = 0;
    socket.pause();
    void sleep(PAUSE_MS).then(() => {
      highest = Math.max(highest, residentKiB(pids));
      socket.resume();
    });
  });
  await client.query(`SELECT repeat('x', ${ROW_BYTES}) FROM generate_series(1, ${ROWS})`);
  if (received < RESULT_BYTES) throw new Error(`only ${received} bytes of the result have come`);
  return highest;
}
