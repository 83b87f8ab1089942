/** The ways to the server: straight, or through a pooler in one of its forms. */

/**
 * The poolers, each in a process, or several, of its own: the gateway without its query cache, with
 * it, and with a worker on each core; PgBouncer, and as many of it on one port.
 */
export const poolerTable = {
  millrace: { isMillrace: true },
  'millrace-cache': { isMillrace: true },
  'millrace-cores': { isMillrace: true },
  pgbouncer: { isMillrace: false },
  'pgbouncer-cores': { isMillrace: false },
} as const;

export type Pooler = keyof typeof poolerTable;

/** One way to the server; with a pooler, its pool size. */
export type Way =
  | { readonly pooler: null }
  | { readonly pooler: Pooler; readonly poolSize: number };

export const direct: Way = { pooler: null };

export function wayName(way: Way): string {
  return way.pooler === null ? 'direct' : `${way.pooler}/${way.poolSize}`;
}

/** What the installed PgBouncer can do. */
export type PgbouncerAbility = {
  readonly version: string;
  /** Prepared statements of the protocol in transaction pooling, since 1.21. */
  readonly canPrepare: boolean;
};

/**
 * Reads what `pgbouncer --version` says.
 * @throws Error when that is no version
 */
export function pgbouncerAbility(versionOutput: string): PgbouncerAbility {
  const match = /PgBouncer (\d+)\.(\d+)(\.\d+)?/.exec(versionOutput);
  if (match === null) throw new Error('pgbouncer --version says nothing that reads as a version');
  const [, major, minor, patch] = match;
  const canPrepare = Number(major) > 1 || Number(minor) >= 21;
  return { version: `${major}.${minor}${patch ?? ''}`, canPrepare };
}
