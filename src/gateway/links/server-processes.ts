import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { LinkQueries } from './link-queries.ts';
import type { Links } from './links.ts';

/** Those processes of the server that are still there; null when it cannot be asked. */
export async function livingProcesses(
  links: Links,
  processIds: readonly number[],
  log: Log,
): Promise<ReadonlySet<number> | null> {
  try {
    const rows = await LinkQueries.with(links, (run) =>
      run(`SELECT pid::pg_catalog.text FROM pg_catalog.pg_stat_activity
        WHERE pid OPERATOR(pg_catalog.=) ANY ('{${processIds.join()}}'::pg_catalog.int4[])`),
    );
    return new Set(rows.map(([pid]) => Number(pid)));
  } catch (error) {
    const reason = error instanceof GatewayError ? error.message : String(error);
    log.debug({ reason }, 'the processes of the origin could not be looked at');
    return null;
  }
}
