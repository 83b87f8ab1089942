/** When a server process is gone, and so no longer counts as a connection of the origin. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OriginConfig } from '../../config/model.ts';
import { type EstablishedLink, type LinkKey, requestCancel } from '../../origin/connect.ts';

const CANCEL_TIMEOUT_MS = 5_000;
/** A server process that is idle, or cancelled, sees the end of its connection within this time. */
const END_MS = 1_000;
/** What could not be cancelled may run on. Nobody can wait for it for ever. */
const END_UNSURE_MS = 15_000;

/** Resolves when the server process of a link that is being closed is gone. Never rejects. */
export async function departureOf(link: EstablishedLink, origin: OriginConfig): Promise<void> {
  const { socket } = link;
  if (!socket.closed) await once(socket, 'close').catch(() => {});
  // A server process closes its side when it has ended everything else.
  const isEndedThere = socket.readableEnded || isReset(socket.errored);
  if (!isEndedThere) await departureOfCut(link, origin);
}

/**
 * The same for a link whose socket is closed already while the server may still be at work: what it
 * does is cancelled, since it would not notice the end of the connection before.
 */
export async function departureOfCut(link: LinkKey, origin: OriginConfig): Promise<void> {
  const outcome = await requestCancel(origin, link, CANCEL_TIMEOUT_MS);
  await sleep(outcome === 'sent' ? END_MS : END_UNSURE_MS, undefined, { ref: false });
}

/** The same for connections of a process that died before they were logged in. */
export function departureOfUnknown(): Promise<void> {
  return sleep(END_MS, undefined, { ref: false });
}

function isReset(error: Error | null): boolean {
  return (
    error !== null && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
  );
}
