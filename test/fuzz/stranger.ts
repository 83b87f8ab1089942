/** Plays one script of the fuzzer against a gateway, and looks at what comes back. */
import type { WireTarget } from '../support/wire.ts';
import { WireClient } from '../support/wire.ts';
import type { Script } from './client-bytes.ts';
import { WITNESS } from './witness.ts';

/** With nothing read for so long, the script has had its answers. */
const SILENCE_MS = 40;
const READ_TIMES_MAX = 50;

/** What may lead a message of a server to a client that is logged in. */
const SERVER_CODES = '123ACDEGHINSTVZcdnst';

/** Logs in and plays the script. */
export async function play(target: WireTarget, script: Script): Promise<void> {
  checkBytes(await playOn(await WireClient.connect(target), script));
}

/**
 * @param client connected, and logged in or not
 * @returns what it has read
 */
export async function playOn(client: WireClient, script: Script): Promise<Buffer> {
  const read: Buffer[] = [];
  let isNew = false;
  client.consume((chunk) => {
    read.push(chunk);
    isNew = true;
  });
  const bytes = Buffer.concat(script.steps.map((step) => step.bytes));
  if (script.pieces.length > 0) await client.dribble(bytes, script.pieces);
  else client.send(bytes);
  if (script.cancels) await client.cancel();
  for (let left = READ_TIMES_MAX; left > 0 && !client.socket.destroyed; left--) {
    isNew = false;
    await new Promise((resolve) => setTimeout(resolve, SILENCE_MS));
    if (!isNew) break;
  }
  if (script.end === 'terminate') client.send(Buffer.from('X\0\0\0\x04'));
  if (script.end === 'half') client.socket.end();
  else client.vanish(script.end === 'rst' ? 'rst' : 'fin');
  await new Promise((resolve) => setTimeout(resolve, 5));
  client.socket.destroy();
  return Buffer.concat(read);
}

/** What a stranger reads is well-formed as far as it came, and nobody else's. */
export function checkBytes(all: Buffer): void {
  if (all.includes(WITNESS)) throw new Error(`a stranger reads ${all.toString('latin1')}`);
  for (let at = 0; all.length - at >= 5; at += 1 + all.readUInt32BE(at + 1)) {
    const code = String.fromCharCode(all[at] as number);
    const isMessage = SERVER_CODES.includes(code) && all.readUInt32BE(at + 1) >= 4;
    if (!isMessage) throw new Error(`no message at ${at} of ${all.toString('latin1')}`);
  }
}
