/** Which scripts run, which way each goes, and what may differ, with the reasons. */

/** Through a gateway of one link, one after another: they are about what a session keeps. */
export const BY_ONE_LINK: ReadonlySet<string> = new Set(
  `date interval horology timestamptz strings txid xid transactions portals portals_p2 arrays
  prepared_xacts privileges rowsecurity create_role sysviews guc combocid advisory_lock async
  copy2 largeobject plancache temp prepare sequence rangefuncs psql copyselect lock password
  rolenames identity conversion xml event_trigger`.split(/\s+/),
);

/**
 * The rule of what is left out to save time: scripts about how rows are stored, found and joined, and
 * about the plans for that. They take long, and say little to the session that sends them.
 */
const ABOUT_ROWS = `aggregates bitmapops brin brin_bloom brin_multi btree_index cluster compression
  compression_pglz create_index_spgist explain fast_default gin gist groupingsets hash_index hash_part
  incremental_sort index_including index_including_gist indexing join join_hash memoize
  partition_aggregate partition_info partition_join partition_prune select_parallel spgist stats_ext
  tablesample tidrangescan tidscan tuplesort vacuum_parallel write_parallel`;

/** The other rule: scripts about what the values of a type are, and what functions make of them. */
const ABOUT_VALUES = `box circle collate.icu.utf8 collate.linux.utf8 geometry inet json json_encoding
  jsonb jsonb_jsonpath jsonpath jsonpath_encoding line lseg macaddr macaddr8 multirangetypes numeric
  opr_sanity path point polygon rangetypes regex tsdicts tsearch tstypes type_sanity`;

/** Not run at all, each with the reason. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ...ABOUT_ROWS.split(/\s+/).map((name) => [name, 'about rows, not sessions'] as const),
  ...ABOUT_VALUES.split(/\s+/).map((name) => [name, 'about values, not sessions'] as const),
  [
    'stats',
    'each server process reports its counters in its own time, and several serve one script',
  ],
]);

export type Difference = {
  readonly reason: string;
  /** Every line that differs, on either side, has to match one of these. */
  readonly lines: readonly RegExp[];
};

const CURRVAL: Difference = {
  reason: 'currval and lastval work in the transaction of their nextval, as the README says',
  lines: [
    /^ERROR: {2}(currval of sequence "\w+"|lastval) is not yet defined in this session$/,
    // What the statement would have answered instead.
    /^ *(one *\| *)?(currval|lastval) *$/,
    /^-+(\+-+)?$/,
    /^ *(eight \| *)?\d+ *$/,
    /^\(\d+ rows?\)$/,
    /^$/,
  ],
};

export const DIFFERENCES: ReadonlyMap<string, Difference> = new Map([
  [
    'constraints',
    {
      reason: `${CURRVAL.reason}, in defaults of a table as well`,
      lines: [
        ...CURRVAL.lines,
        /^ERROR: {2}new row for relation "insert_tbl" violates check constraint "insert_tbl_con"$/,
        /^DETAIL: {2}Failing row contains \(5, check failed, -5\)\.$/,
        /^ +5 \| !check failed \| -5$/,
      ],
    },
  ],
  ['sequence', CURRVAL],
  [
    'guc',
    {
      reason: 'a library that another client made the server process load stays loaded there',
      lines: [
        /^(ERROR|WARNING): {2}invalid configuration parameter name "plpgsql\.extra_foo_warnings"/,
        /^DETAIL: {2}"plpgsql" is (now )?a reserved prefix\.$/,
      ],
    },
  ],
  [
    'temp',
    {
      reason: 'only the first use of temporary names in a server process makes their schema',
      lines: [/^ERROR: {2}cannot PREPARE a transaction that has operated on temporary objects$/],
    },
  ],
]);
