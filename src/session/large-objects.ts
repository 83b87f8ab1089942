/**
 * Functions that clients call by number through the FunctionCall message: libpq's large object
 * interface. Their descriptors end with the transaction, so they leave nothing on a link.
 * Source: PostgreSQL's pg_proc.dat; the numbers never change.
 */
const LARGE_OBJECT_FUNCTIONS: ReadonlySet<number> = new Set([
  715, // lo_create
  764, // lo_import
  765, // lo_export
  767, // lo_import with a number
  952, // lo_open
  953, // lo_close
  954, // loread
  955, // lowrite
  956, // lo_lseek
  957, // lo_creat
  958, // lo_tell
  964, // lo_unlink
  1004, // lo_truncate
  3170, // lo_lseek64
  3171, // lo_tell64
  3172, // lo_truncate64
  3457, // lo_from_bytea
  3458, // lo_get
  3459, // lo_get of a part
  3460, // lo_put
]);

/** Whether a function, by its oid, is known to leave nothing behind in the session. */
export function isHarmlessFunction(oid: number): boolean {
  return LARGE_OBJECT_FUNCTIONS.has(oid);
}
