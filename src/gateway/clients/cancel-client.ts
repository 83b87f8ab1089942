import type { LinkConnection } from '../links/link-connection.ts';
import type { ClientConnection } from './client-connection.ts';

/** A cancel that meets a statement of the gateway's own is tried again, this often at most. */
const ATTEMPTS_MAX = 100;
const RETRY_MS = 5;

/**
 * Cancels what a client does, and nothing else. Resolves when nothing that the client begins from
 * then on can be hit.
 */
export async function cancelClient({ session }: ClientConnection): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX && session.isOwed; attempt++) {
    if (session.shared.isUnderWay) {
      const lane = session.shared.cancel();
      if (lane?.cancelsPending === 0) await (lane.port as LinkConnection).cancel();
      return;
    }
    const { link } = session;
    if (session.isWaiting) {
      session.cancelWaiting();
      return;
    }
    if (link !== null && link.ledger.size > 0 && !link.ledger.headIsOwn) {
      if (link.cancelsPending === 0) await (link.port as LinkConnection).cancel();
      return;
    }
    // What runs is the gateway's own; the client's statement is next.
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
