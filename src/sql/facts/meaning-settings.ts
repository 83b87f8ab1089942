/** Which settings decide what the text of a statement means when it is parsed. */

/** Settings of PostgreSQL's own that decide nothing about it. */
const MEANINGLESS: ReadonlySet<string> = new Set([
  'application_name',
  'bytea_output',
  'client_min_messages',
  'deadlock_timeout',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'lock_timeout',
  'maintenance_work_mem',
  'plan_cache_mode',
  'statement_timeout',
  'synchronous_commit',
  'transaction_timeout',
  'work_mem',
]);

/**
 * Whether a statement parsed under one value of the setting may be another one under another value.
 * Custom settings (`app.tenant`) are read by functions while they run, never by the parser.
 *
 * @param name lower-case
 */
export function decidesMeaning(name: string): boolean {
  return !MEANINGLESS.has(name) && !name.includes('.');
}

/** Read by functions of PostgreSQL that are IMMUTABLE: a plan may hold what they gave. */
const FOLDED: ReadonlySet<string> = new Set(['bytea_output', 'extra_float_digits']);

/**
 * Whether a plan made under one value of the setting may be wrong under another value: also because
 * the planner runs functions that are IMMUTABLE. Users declare such as read a custom setting too.
 *
 * @param name lower-case
 */
export function decidesPlan(name: string): boolean {
  return decidesMeaning(name) || FOLDED.has(name) || name.includes('.');
}

/** Settings that decide where literals end. The server reports every change of them. */
const READING: ReadonlySet<string> = new Set(['client_encoding', 'standard_conforming_strings']);

/**
 * Whether texts are cut into words in another way under another value of the setting.
 *
 * @param name lower-case
 */
export function decidesReading(name: string): boolean {
  return READING.has(name);
}
