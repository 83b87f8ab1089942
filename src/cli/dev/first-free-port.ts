/** Listening on the first free port, for a default that may be taken. */
import { GatewayError } from '../../base/errors.ts';
import { systemCodeOf } from '../failure.ts';

/** After this many taken ports in a row something else is wrong. */
const ATTEMPTS_MAX = 100;

/**
 * Calls `start` with ports from `first` on until one is not in use. Any other failure is passed on,
 * and so is the last one when all are taken.
 */
export async function onFirstFreePort<T>(
  first: number,
  start: (port: number) => Promise<T>,
): Promise<{ readonly started: T; readonly port: number }> {
  for (let port = first; ; port++) {
    try {
      return { started: await start(port), port };
    } catch (error) {
      const isTaken =
        error instanceof GatewayError &&
        error.code === 'MR_LISTEN_FAILED' &&
        systemCodeOf(error.cause) === 'EADDRINUSE';
      const isLast = port - first + 1 >= ATTEMPTS_MAX || port >= 65_535;
      if (!isTaken || isLast) throw error;
    }
  }
}
