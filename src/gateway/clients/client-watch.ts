import { GatewayError } from '../../base/errors.ts';
import { cancelClient } from './cancel-client.ts';
import type { ClientConnection } from './client-connection.ts';

/** After the statement limit a cancelled statement may take this long to end. */
const CANCEL_GRACE_MS = 5_000;

/** Watches one client for standstills, by looking at it every now and then. */
export class ClientWatch {
  /** The unit seen at work, and since when. */
  #serial = -1;
  #sinceMs = 0;
  #isCancelled = false;
  #unreadSinceMs: number | null = null;

  /** To be called every now and then with the limits of the moment; 0 is no limit. */
  look(
    client: ClientConnection,
    statementTimeoutMs: number,
    unreadMs: number,
    nowMs: number,
  ): void {
    if (this.#standsUnread(client, nowMs) > unreadMs && unreadMs > 0) {
      client.session.close();
      client.destroy();
      return;
    }
    const { session } = client;
    if (statementTimeoutMs === 0 || session.isExempt || !session.isBusy) {
      this.#serial = -1;
      return;
    }
    if (this.#serial !== session.unitSerial) {
      this.#serial = session.unitSerial;
      this.#sinceMs = nowMs;
      this.#isCancelled = false;
      return;
    }
    const runsMs = nowMs - this.#sinceMs;
    // A result that is on its way counts as long as the client takes it: its pace is no fault.
    if (runsMs < statementTimeoutMs || client.isBlocked) return;
    if (!session.host.rules.cancels) {
      const detail = 'The origin cannot be asked to cancel it: it may run to its end there.';
      session.fail(new GatewayError('MR_ORIGIN_SILENT', { detail }));
    } else if (!this.#isCancelled) {
      this.#isCancelled = true;
      session.isTimedOut = true;
      void cancelClient(client);
    } else if (runsMs > statementTimeoutMs + CANCEL_GRACE_MS) {
      session.fail(new GatewayError('MR_ORIGIN_SILENT'));
    }
  }

  /** For how long the client has read nothing of what waits for it. */
  #standsUnread(client: ClientConnection, nowMs: number): number {
    if (!client.hasStood()) {
      this.#unreadSinceMs = null;
      return 0;
    }
    this.#unreadSinceMs ??= nowMs;
    return nowMs - this.#unreadSinceMs;
  }
}
