/**
 * What a server that only reads may say to a read to which the one that writes has an answer. What
 * the text of an error says depends on the language of the server, its SQLSTATE does not.
 *
 * - 40001, 40P01: the read is in the way of what is being replayed
 * - 0A000: an UNLOGGED table, a transaction that is serializable by default, a changed plan
 * - 25006, 55000: it is something that only a server does that is not in recovery
 * - 57P03: the server is starting, or does not take queries
 * - class 42: what is named is not there yet, or not granted yet
 *
 * Sources, in PostgreSQL: `ProcessRecoveryConflictInterrupt`, `CheckRecoveryConflictDeadlock`,
 * `get_relation_info`, `GetSerializableTransactionSnapshot`, `PreventCommandDuringRecovery`, and
 * where it says that recovery is in progress.
 */
const REFUSAL = /\0C(?:40001|40P01|0A000|25006|55000|57P03|42...)\0/;

/** @param fields of an ErrorResponse, as a byte string; see {@link REFUSAL} */
export function isReadersOwn(fields: string): boolean {
  return REFUSAL.test(fields);
}
