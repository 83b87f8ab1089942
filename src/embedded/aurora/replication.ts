/** What the controller asks of instances to move the role of the writer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { embeddedFailure } from '../failure.ts';
import type { AuroraNode } from './aurora-node.ts';

const POLL_MS = 20;
const PROMOTION_TIMEOUT_S = 10;
/** A reader that has not come to follow by then never will: its history has another end. */
const FOLLOW_TIMEOUT_MS = 10_000;

/** How far a reader has received the writer's log, in bytes. */
export async function receivedBytes(node: AuroraNode, port: number): Promise<number> {
  const { rows } = await node.asSuperuser(port, (client) =>
    client.query("SELECT (COALESCE(pg_last_wal_receive_lsn(), '0/0') - '0/0')::float8 AS received"),
  );
  return (rows[0] as { received: number }).received;
}

/** The one of the readers that has most; null when none answers. */
export async function mostAdvanced(
  readers: readonly AuroraNode[],
  port: number,
): Promise<AuroraNode | null> {
  let best: AuroraNode | null = null;
  let most = -1;
  for (const node of readers) {
    const received = await receivedBytes(node, port).catch(() => -1);
    if (received > most) [best, most] = [node, received];
  }
  return best;
}

/** @throws GatewayError `MR_EMBEDDED_FAILED` when it does not become the writer in time */
export async function promote(node: AuroraNode, port: number): Promise<void> {
  const { rows } = await node.asSuperuser(port, (client) =>
    client.query('SELECT pg_promote(true, $1) AS done', [PROMOTION_TIMEOUT_S]),
  );
  if ((rows[0] as { done: boolean }).done) return;
  throw embeddedFailure(`${node.name} was not promoted within ${PROMOTION_TIMEOUT_S} s`);
}

/**
 * Waits until a reader follows the writer and has replayed what the writer had written when this
 * began; false when that takes too long.
 */
export async function becomesFollower(
  node: AuroraNode,
  writer: AuroraNode,
  port: number,
): Promise<boolean> {
  const target = await writer.asSuperuser(port, async (client) => {
    const { rows } = await client.query('SELECT pg_current_wal_lsn()::text AS lsn');
    return (rows[0] as { lsn: string }).lsn;
  });
  const deadlineMs = performance.now() + FOLLOW_TIMEOUT_MS;
  const isThere = `SELECT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming'
    AND sender_host = $2) AND pg_last_wal_replay_lsn() >= $1::pg_lsn AS done`;
  return await node.asSuperuser(port, async (client) => {
    for (;;) {
      const { rows } = await client.query(isThere, [target, writer.serverAddress]);
      if ((rows[0] as { done: boolean }).done) return true;
      if (performance.now() > deadlineMs) return false;
      await sleep(POLL_MS);
    }
  });
}
