/** Proves that an origin works: connects, logs in, and runs a query that does nothing. */
import type { Log } from '../base/log.ts';
import type { OriginConfig } from '../config/model.ts';
import { TERMINATE } from '../protocol/messages.ts';
import { connectOrigin } from './connect.ts';
import { queryRows } from './query.ts';

const EMPTY_QUERY = ';';
const APPLICATION_NAME = 'Millrace check';

export type ProbeResult = {
  /** From the start of the connection until it was ready. */
  readonly connectMs: number;
  /** From the query to its answer: one round trip. */
  readonly queryMs: number;
  readonly encrypted: boolean;
  /** What the server reports of itself. */
  readonly parameters: ReadonlyMap<string, string>;
};

/**
 * @param timeoutMs over everything
 * @throws GatewayError `MR_ORIGIN_…` when connecting fails; an `OriginQueryError` when the
 *   query does. Nothing is left open.
 */
export async function probeOrigin(
  origin: OriginConfig,
  timeoutMs: number,
  log: Log,
): Promise<ProbeResult> {
  const beganMs = performance.now();
  const link = await connectOrigin(origin, {
    connectTimeoutMs: timeoutMs,
    applicationName: APPLICATION_NAME,
    log,
  });
  const { socket, encrypted, parameters } = link;
  try {
    const readyMs = performance.now();
    await queryRows(socket, EMPTY_QUERY, timeoutMs - (readyMs - beganMs));
    const queryMs = performance.now() - readyMs;
    socket.end(TERMINATE);
    return { connectMs: readyMs - beganMs, queryMs, encrypted, parameters };
  } finally {
    socket.destroySoon();
  }
}
