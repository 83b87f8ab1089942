/**
 * What kinds of origins let the gateway do, beside what a client asks for. This is the whole list:
 * code that differs by the kind of origin asks one of these rules, not the kind. PostgreSQL is the
 * measure; Aurora DSQL differs from it as in its user guide and as seen on real clusters.
 */

/** New links: as many at once as `burst`, and `perSecond` of them after that. */
export type LinkRate = { readonly perSecond: number; readonly burst: number };

export type OriginRules = {
  /**
   * Settings that a session may change, with the value of a fresh session where the server does not
   * report it. Null where there is no such list, and `set_config` works.
   */
  readonly settings: ReadonlyMap<string, string | null> | null;
  /** Whether a session can be asked for its locks, prepared statements, cursors and channels. */
  readonly showsState: boolean;
  /** What makes a session as good as a fresh one, each alone in its Query. */
  readonly resets: readonly string[];
  /** Whether DISCARD SEQUENCES works. */
  readonly forgetsSequences: boolean;
  /** Whether a CancelRequest has an effect; where it has none, none is sent. */
  readonly cancels: boolean;
  /** Whether all of the catalogue can be read, and not only what Aurora DSQL has of it. */
  readonly hasWholeCatalogue: boolean;
  /** Whether PostgreSQL can be asked what a read means by a temporary view of it. */
  readonly makesTemporaryViews: boolean;
  /** How often an unnamed statement may run as a named one: later it may get a generic plan. */
  readonly unnamedRunsMax: number;
  /** A link is not lent again when it is this old. */
  readonly linkLifeMaxMs: number;
  /** How fast links may be opened, for all who use the cluster together; null for no limit. */
  readonly newLinks: LinkRate | null;
  /**
   * How long a transaction may still commit whose link was lost; null where the server tells
   * whether the process that did it is still there.
   */
  readonly lostWriteMs: number | null;
};

const MINUTE_MS = 60_000;

const POSTGRES: OriginRules = {
  settings: null,
  showsState: true,
  resets: ['DISCARD ALL'],
  forgetsSequences: true,
  cancels: true,
  hasWholeCatalogue: true,
  makesTemporaryViews: true,
  unnamedRunsMax: Number.POSITIVE_INFINITY,
  linkLifeMaxMs: Number.POSITIVE_INFINITY,
  newLinks: null,
  lostWriteMs: null,
};

/** Process numbers are those of the proxy, whose transactions have no limit that is known. */
const RDS_PROXY: OriginRules = { ...POSTGRES, lostWriteMs: MINUTE_MS };

/** Every other setting is refused with 0A000, at startup as later. */
const DSQL_SETTINGS: ReadonlyMap<string, string | null> = new Map([
  ['application_name', null],
  ['client_encoding', null],
  ['datestyle', null],
  ['intervalstyle', null],
  ['timezone', null],
  ['extra_float_digits', '1'],
  ['search_path', '"$user", public'],
  ['enable_bitmapscan', 'on'],
  ['enable_hashjoin', 'on'],
  ['enable_indexonlyscan', 'on'],
  ['enable_indexscan', 'on'],
  ['enable_material', 'on'],
  ['enable_mergejoin', 'on'],
  ['enable_nestloop', 'on'],
  ['enable_seqscan', 'on'],
  ['dsql.enable_batched_nestloop', null],
  ['disable_sync_create_index', 'on'],
]);

const DSQL: OriginRules = {
  settings: DSQL_SETTINGS,
  showsState: false,
  // It knows no DISCARD that anybody has told of.
  resets: ['RESET ALL', 'DEALLOCATE ALL'],
  forgetsSequences: false,
  cancels: false,
  hasWholeCatalogue: false,
  makesTemporaryViews: false,
  // PostgreSQL makes custom plans five times; `plan_cache_mode` cannot be set.
  unnamedRunsMax: 5,
  // A session is ended after 60 minutes, whatever it does; AWS's own connectors end it at 55.
  linkLifeMaxMs: 55 * MINUTE_MS,
  newLinks: { perSecond: 100, burst: 1_000 },
  // Its transactions live for 300 seconds at most.
  lostWriteMs: 6 * MINUTE_MS,
};

const RULES = {
  postgres: POSTGRES,
  rds: POSTGRES,
  'rds-proxy': RDS_PROXY,
  aurora: POSTGRES,
  dsql: DSQL,
} as const satisfies Readonly<Record<string, OriginRules>>;

/** As in the configuration of an origin. */
export type OriginKind = keyof typeof RULES;

export function originRules(kind: OriginKind): OriginRules {
  return RULES[kind];
}

/** Of PostgreSQL, which every link is to unless it is told. */
export const postgresRules: OriginRules = POSTGRES;
