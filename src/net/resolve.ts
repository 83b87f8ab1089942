/** Name resolution by DNS servers of one's choice, past the resolver of the system. */
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

/** How long one server may take before the next is asked, in the first of the rounds. */
const SERVER_ATTEMPT_MS = 2_000;
const ROUNDS_MAX = 3;

/**
 * The IPv4 addresses of a name, or the IPv6 addresses when it has no others, as the servers say at
 * this moment: nothing is kept, since a name that moves is what this is for. An IP address is
 * answered as it is.
 *
 * Rejects with the error of `node:dns` (`ENOTFOUND`, `ENODATA`, `ETIMEOUT`, …) or the signal's
 * reason.
 *
 * @param servers addresses, each with or without a port, asked in this order
 */
export async function resolveHost(
  host: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  signal.throwIfAborted();
  // One of its own, because to cancel is to cancel everything that it asks.
  const resolver = new Resolver({ timeout: SERVER_ATTEMPT_MS, tries: ROUNDS_MAX });
  const onAbort = (): void => resolver.cancel();
  signal.addEventListener('abort', onAbort);
  try {
    resolver.setServers(servers);
    return await resolver.resolve4(host).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENODATA') throw error;
      return resolver.resolve6(host);
    });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
