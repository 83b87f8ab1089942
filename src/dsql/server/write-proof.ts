/** Whether the server of a link takes writes, and which of several such is the right one. */

import type { PostgresLink } from './postgres-link.ts';
import { ServerError } from './server-link.ts';

/**
 * The timeline counts the promotions behind a server, so of two that take writes at once, one of
 * which has not noticed its replacement, it tells which is the newer. It begins the names of the
 * files of the log, in hexadecimal; a standby has no such name.
 */
const PROOF =
  'SELECT pg_catalog.pg_is_in_recovery(), CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN ' +
  'pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()) END';

/** For what speaks PostgreSQL's protocol without having its functions. */
const PLAIN_PROOF = 'SHOW transaction_read_only';

const TIMELINE_DIGITS = 8;

export type Proof = {
  readonly takesWrites: boolean;
  /** 0 where the server has none to tell. */
  readonly timeline: number;
};

/** @throws GatewayError when the link is lost, or the time is up: it is closed then */
export async function proveWrites(link: PostgresLink, timeoutMs: number): Promise<Proof> {
  const timer = setTimeout(() => link.close(), Math.max(1, timeoutMs));
  try {
    return await ask(link);
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    const { rows } = await link.query(PLAIN_PROOF);
    return { takesWrites: rows[0]?.[0] === 'off', timeline: 0 };
  } finally {
    clearTimeout(timer);
  }
}

async function ask(link: PostgresLink): Promise<Proof> {
  const { rows } = await link.query(PROOF);
  const [inRecovery, file] = rows[0] ?? [];
  const timeline = Number.parseInt((file ?? '').slice(0, TIMELINE_DIGITS), 16);
  return {
    takesWrites: inRecovery === 'f',
    timeline: Number.isNaN(timeline) ? 0 : timeline,
  };
}
