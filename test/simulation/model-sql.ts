/** The few statements that the model PostgreSQL knows: those of the clients and of the gateway. */
import type { ModelState } from './model-state.ts';

/** Rows with one column or more, or none for a command; and the command tag. */
export type Result = { readonly rows: (string | null)[][] | null; readonly tag: string };

/** What the server says instead of an answer. No `Error`: there are too many for their stacks. */
export class ModelError {
  readonly sqlstate: string;
  readonly message: string;

  constructor(sqlstate: string, message: string) {
    this.sqlstate = sqlstate;
    this.message = message;
  }
}

/** What statements reach beside the settings and the table. */
export type Surroundings = {
  readonly state: ModelState;
  /** `TimeZone` when the text was parsed. */
  readonly zoneAtParse: string;
  /** How many statements are prepared by protocol. */
  readonly prepared: Map<string, unknown>;
  notice(sqlstate: string, message: string): void;
};

type Run = (match: RegExpExecArray, around: Surroundings, values: readonly string[]) => Result;

const one = (value: string | null): Result => ({ rows: [[value]], tag: 'SELECT 1' });
const command = (tag: string): Result => ({ rows: null, tag });
const column = (values: readonly string[]): Result => ({
  rows: values.map((value) => [value]),
  tag: `SELECT ${values.length}`,
});

function commit({ state, notice }: Surroundings): Result {
  const isFailed = state.isFailed;
  if (!state.isBlock) notice('25P01', 'there is no transaction in progress');
  if (isFailed) state.rollback();
  else state.commit();
  return command(isFailed ? 'ROLLBACK' : 'COMMIT');
}

function begin({ state, notice }: Surroundings): Result {
  if (state.isBlock) notice('25001', 'there is already a transaction in progress');
  state.isBlock = true;
  return command('BEGIN');
}

function rollback({ state, notice }: Surroundings): Result {
  if (!state.isBlock) notice('25P01', 'there is no transaction in progress');
  state.rollback();
  return command('ROLLBACK');
}

/** The unnamed one stays. */
function removeNamed(prepared: Map<string, unknown>): void {
  for (const name of prepared.keys()) if (name !== '') prepared.delete(name);
}

function set(state: ModelState, name: string, value: string, isLocal: boolean): void {
  if (value === 'refused') throw new ModelError('22023', `invalid value for "${name}"`);
  state.set(name, value, isLocal);
}

/** `E'…'`, whose content never holds an escape here. */
const literal = "E?'([^']*)'";

const STATEMENTS: readonly (readonly [RegExp, Run])[] = [
  [/^BEGIN$/, (_, around) => begin(around)],
  [/^COMMIT$/, (_, around) => commit(around)],
  [/^ROLLBACK$/, (_, around) => rollback(around)],
  [/^SELECT '([^',]*)'$/, ([, mark]) => one(mark as string)],
  [/^SELECT \$1::text$/, (_, __, [value]) => one(value ?? null)],
  [
    /^SELECT 1\/0$/,
    () => {
      throw new ModelError('22012', 'division by zero');
    },
  ],
  [/^SELECT pg_sleep\(/, () => one('')],
  [
    /^SELECT generate_series\(1, (\d+)\)$/,
    ([, count]) => column(Array.from({ length: Number(count) }, (_, at) => String(at + 1))),
  ],
  [/^SELECT repeat\('(.)', (\d+)\)$/, ([, what, n]) => one((what as string).repeat(Number(n)))],
  [/^SELECT zone_at_parse\(\)$/, (_, { zoneAtParse }) => one(zoneAtParse.split('/')[0] as string)],
  [
    /^SHOW (\w+)$/,
    ([, name], { state }) => ({ ...one(state.setting(name as string)), tag: 'SHOW' }),
  ],
  [
    /^SELECT coalesce\(current_setting\('([^']+)', true\), ''\)$/,
    ([, name], { state }) => one(state.setting(name as string) ?? ''),
  ],
  [
    /^SET (LOCAL )?([\w.]+) = '([^']*)'$/,
    ([, local, name, value], { state }) => {
      set(state, name as string, value as string, local !== undefined);
      return command('SET');
    },
  ],
  [
    /^SELECT set_config\('([^']+)', \$1, false\)$/,
    ([, name], { state }, [value]) => {
      set(state, name as string, value as string, false);
      return one(value as string);
    },
  ],
  [
    /^RESET (\S+)$/,
    ([, name], { state }) => {
      if (name === 'ALL') state.resetAll();
      else state.reset((name as string).replaceAll('"', ''));
      return command('RESET');
    },
  ],
  [
    /^INSERT INTO t VALUES \('([^']+)'\)$/,
    ([, mark], { state }) => {
      state.insert([mark as string]);
      return command('INSERT 0 1');
    },
  ],
  [
    /^SELECT m FROM t WHERE m LIKE '([^%]+)%'$/,
    ([, of], { state }) => column(state.rowsLike(of as string)),
  ],
  [
    /^LISTEN (\w+)$/,
    ([, channel], { state }) => {
      state.listen(channel as string);
      return command('LISTEN');
    },
  ],
  [
    /^UNLISTEN \*$/,
    (_, { state }) => {
      state.unlisten();
      return command('UNLISTEN');
    },
  ],
  [/^SELECT pg_listening_channels\(\)$/, (_, { state }) => column([...state.channels])],
  [
    /^CREATE TEMP TABLE (\w+) \(n int\)$/,
    ([, name], { state }) => {
      if (state.createTemporary(name as string)) return command('CREATE TABLE');
      throw new ModelError('42P07', `relation "${name}" already exists`);
    },
  ],
  [
    /^DROP TABLE (\w+)$/,
    ([, name], { state }) => {
      if (state.dropTemporary(name as string)) return command('DROP TABLE');
      throw new ModelError('42P01', `table "${name}" does not exist`);
    },
  ],
  [
    /^DEALLOCATE ALL$/,
    (_, { prepared }) => {
      removeNamed(prepared);
      return command('DEALLOCATE ALL');
    },
  ],
  [
    /^DEALLOCATE "?([^"]+)"?$/,
    ([, name], { prepared }) => {
      if (prepared.delete(name as string)) return command('DEALLOCATE');
      throw new ModelError('26000', `prepared statement "${name}" does not exist`);
    },
  ],
  [
    /^DISCARD ALL$/,
    (_, { state, prepared }) => {
      if (state.isBlock) {
        throw new ModelError('25001', 'DISCARD ALL cannot run inside a transaction block');
      }
      state.discardAll();
      removeNamed(prepared);
      return command('DISCARD ALL');
    },
  ],
  [/^DISCARD SEQUENCES$/, () => command('DISCARD SEQUENCES')],
  // The gateway's own: what it sets, and what it asks.
  [/^SELECT pg_catalog\.set_config/, setConfig],
  [/^SELECT 'set',/, probe],
];

const isKept = (state: ModelState, name: string): boolean =>
  name.includes('.') ? (state.setting(name) ?? '') !== '' : state.isSet(name);

function setConfig(match: RegExpExecArray, { state }: Surroundings): Result {
  // What is given back behind a RESET: only what is not set.
  const restored = new RegExp(`${literal}.* (?:FROM|WHERE) `).exec(match.input)?.[1];
  if (restored !== undefined && isKept(state, restored)) return { rows: [], tag: 'SELECT 0' };
  const call = new RegExp(String.raw`set_config\(${literal},${literal},false\)`, 'g');
  const row: string[] = [];
  for (const [, name, value] of match.input.matchAll(call)) {
    set(state, name as string, value as string, false);
    row.push(value as string);
  }
  return { rows: [row], tag: 'SELECT 1' };
}

function probe({ input }: RegExpExecArray, { state, prepared }: Surroundings): Result {
  const rows: (string | null)[][] = [];
  if (input.includes('pg_catalog.pg_settings')) {
    for (const [name, value] of state.settings) {
      if (!name.includes('.')) rows.push(['set', name, value]);
    }
    if (state.temporary.size > 0) rows.push(['pin', 'temporary object', null]);
    for (const _ of state.channels) rows.push(['pin', 'LISTEN', null]);
    rows.push(['held', String(prepared.size), null]);
  }
  const asked = new RegExp(String.raw`SELECT 'set',${literal},pg_catalog\.current_setting`, 'g');
  for (const [, name] of input.matchAll(asked)) {
    rows.push(['set', name as string, state.setting(name as string)]);
  }
  return { rows, tag: `SELECT ${rows.length}` };
}

/** Whether the statement may run in a transaction that has failed. */
export const endsTransaction = (text: string): boolean => /^(COMMIT|ROLLBACK)$/.test(text);

/** Whether rows come back, so that a Describe tells of columns. */
export const returnsRows = (text: string): boolean => /^(SELECT|SHOW)/.test(text);

export function isKnown(text: string): boolean {
  return STATEMENTS.some(([pattern]) => pattern.test(text));
}

/** @throws ModelError as the server would refuse it */
export function runSql(text: string, around: Surroundings, values: readonly string[]): Result {
  for (const [pattern, run] of STATEMENTS) {
    const match = pattern.exec(text);
    if (match !== null) return run(match, around, values);
  }
  throw new ModelError('42601', `syntax error at or near "${text.slice(0, 20)}"`);
}
