import { GatewayError } from '../base/errors.ts';
import type { Clock } from '../base/time.ts';
import type { Session } from '../session/session.ts';
import { cancelClient } from './clients/cancel-client.ts';
import type { Database } from './database.ts';

const POLL_MS = 20;
/** What is cut off is cancelled at the origin first, which has so long to confirm it. */
const CANCEL_TIMEOUT_MS = 1_000;

/**
 * Ends a configuration politely: idle clients are told at once, transactions may end within the
 * time. What still runs then is cancelled at the origin, so that it is not committed behind the
 * back of a client that was told of the end.
 */
export async function drainDatabase(
  database: Database,
  code: 'MR_SHUTTING_DOWN' | 'MR_CONFIG_REMOVED',
  timeoutMs: number,
  clock: Clock,
): Promise<void> {
  const untilMs = clock.nowMs() + timeoutMs;
  const { log } = database;
  log.info({ code, clients: database.clients.size }, 'draining');
  const endThoseAtRest = (): void => {
    for (const { session } of database.clients) {
      if (isAtRest(session)) session.fail(new GatewayError(code));
    }
  };
  endThoseAtRest();
  while (database.clients.size > 0 && clock.nowMs() < untilMs) {
    await nap();
    endThoseAtRest();
  }
  const cutOff = database.clients.size;
  if (cutOff > 0) log.warn({ code, clients: cutOff }, 'clients are cut off in what they had begun');
  await cancelRunning(database, clock);
  database.close(code);
}

async function cancelRunning(database: Database, clock: Clock): Promise<void> {
  const untilMs = clock.nowMs() + CANCEL_TIMEOUT_MS;
  const running = [...database.clients].filter(({ session }) => session.isOwed);
  for (const client of running) void cancelClient(client);
  while (running.some(({ session }) => session.isOwed) && clock.nowMs() < untilMs) await nap();
}

/** Whether the client could be sent away without interrupting anything. */
function isAtRest({ isStalled, isUnsynced, link }: Session): boolean {
  return !isStalled && (link === null || (link.isIdle && !isUnsynced));
}

function nap(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
