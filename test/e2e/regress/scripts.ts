/** Which scripts run, which way each goes, and what may differ, with the reasons. */

/** Through a gateway of one link, one after another: they are about what a session keeps. */
export const BY_ONE_LINK: ReadonlySet<string> = new Set(
  `date interval horology timestamptz strings txid xid transactions portals portals_p2 arrays
  prepared_xacts privileges rowsecurity create_role sysviews guc combocid advisory_lock async
  copy2 largeobject plancache temp prepare sequence rangefuncs psql copyselect lock password
  rolenames identity conversion xml event_trigger`.split(/\s+/),
);

/** Not run at all. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
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
