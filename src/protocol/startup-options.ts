/**
 * The `options` startup parameter: a command line of the `postgres` program, whose switches stand
 * for settings. Read as PostgreSQL reads it (`pg_split_opts`, `process_postgres_switches`, and
 * getopt of the GNU library), so that whatever works there works here, and its mistakes are told in
 * its words.
 */
import { GatewayError } from '../base/errors.ts';

export type Setting = { readonly name: string; readonly value: string };

export type StartupOptions = {
  /** In order; names as sent, with dashes made underscores. Whether they exist the server knows. */
  readonly settings: readonly Setting[];
  /** What ended the reading, or null. The settings before it come first, with their own errors. */
  readonly problem: GatewayError | null;
};

/** A switch that only sets something: name and value, or its argument where there is no value. */
type Meaning = readonly [name: string, value?: string];

const WITHOUT_ARGUMENT: Readonly<Record<string, Meaning | null>> = {
  // Without effect in a server process.
  b: null,
  E: null,
  j: null,
  n: null,
  T: null,
  e: ['datestyle', 'euro'],
  F: ['fsync', 'false'],
  i: ['listen_addresses', '*'],
  l: ['ssl', 'true'],
  O: ['allow_system_table_mods', 'true'],
  P: ['ignore_system_indexes', 'true'],
  s: ['log_statement_stats', 'true'],
};

const WITH_ARGUMENT: Readonly<Record<string, Meaning | null>> = {
  // Without effect in a server process.
  C: null,
  D: null,
  r: null,
  v: null,
  B: ['shared_buffers'],
  h: ['listen_addresses'],
  k: ['unix_socket_directories'],
  N: ['max_connections'],
  p: ['port'],
  S: ['work_mem'],
  W: ['post_auth_delay'],
};

/** `-f`: the plans that are not to be used, by the first letter of the argument. */
const PLANS: Readonly<Record<string, string>> = {
  b: 'enable_bitmapscan',
  h: 'enable_hashjoin',
  i: 'enable_indexscan',
  m: 'enable_mergejoin',
  n: 'enable_nestloop',
  o: 'enable_indexonlyscan',
  s: 'enable_seqscan',
  t: 'enable_tidscan',
};

/** What the program may be asked to be, as its first argument only. */
const PROGRAMS: ReadonlySet<string> = new Set(['boot', 'check', 'describe-config', 'single']);

const unknownSwitch = (subject: string): GatewayError =>
  new GatewayError('MR_SWITCH_UNKNOWN', { subject });

const badSwitch = (subject: string): GatewayError =>
  new GatewayError('MR_SWITCH_INVALID', { subject });

/** Reads the `options` startup parameter. */
export function parseOptions(text: string): StartupOptions {
  const switches = new Switches(splitOptions(text));
  const problem = switches.read();
  return { settings: switches.settings, problem };
}

/** Walks the words as getopt does, which reads switches behind words that are none, too. */
class Switches {
  readonly settings: Setting[] = [];
  readonly #words: readonly string[];
  /** The word to be read next. */
  #next = 0;
  readonly #strays: string[] = [];

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  read(): GatewayError | null {
    while (this.#next < this.#words.length) {
      const word = this.#words[this.#next++] as string;
      if (word === '--') {
        this.#strays.push(...this.#words.slice(this.#next));
        break;
      }
      if (word.length < 2 || !word.startsWith('-')) this.#strays.push(word);
      else {
        const problem = this.#cluster(word);
        if (problem !== null) return problem;
      }
    }
    const [stray] = this.#strays;
    return stray === undefined ? null : unknownSwitch(stray);
  }

  /** One word of switches: letters without argument, and at most one with it at the end. */
  #cluster(word: string): GatewayError | null {
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] as string;
      const isLast = at === word.length - 1;
      const plain = Object.hasOwn(WITHOUT_ARGUMENT, letter) ? WITHOUT_ARGUMENT[letter] : undefined;
      if (plain !== undefined) {
        if (plain !== null) this.#put(plain[0], plain[1] ?? '');
        continue;
      }
      if (!'-cdft'.includes(letter) && !Object.hasOwn(WITH_ARGUMENT, letter)) {
        // PostgreSQL complains of the word that getopt has finished last.
        const finished = isLast ? word : (this.#strays.at(-1) ?? this.#words[this.#next - 2]);
        return unknownSwitch(finished ?? 'postgres');
      }
      const argument = isLast ? this.#words[this.#next++] : word.slice(at + 1);
      if (argument === undefined) return unknownSwitch(word);
      return this.#argued(letter, argument, isLast ? argument : word);
    }
    return null;
  }

  /** @param finished the word that getopt has finished last */
  #argued(letter: string, argument: string, finished: string): GatewayError | null {
    if (letter === 'c' || letter === '-') return this.#assign(letter, argument);
    if (letter === 'd') this.#debug(Number.parseInt(argument, 10) || 0);
    else if (letter === 'f' || letter === 't') {
      const plan = letter === 'f' ? PLANS[argument[0] ?? ''] : undefined;
      const name = letter === 'f' ? plan : statisticsOf(argument);
      if (name === undefined) return unknownSwitch(finished);
      this.#put(name, letter === 'f' ? 'false' : 'true');
    } else {
      const meaning = WITH_ARGUMENT[letter];
      if (meaning) this.#put(meaning[0], argument);
    }
    return null;
  }

  #assign(letter: string, argument: string): GatewayError | null {
    if (letter === '-' && PROGRAMS.has(argument)) {
      return badSwitch(`--${argument} must be first argument`);
    }
    const equals = argument.indexOf('=');
    if (equals < 0) {
      return badSwitch(`${letter === '-' ? '--' : '-c '}${argument} requires a value`);
    }
    this.#put(argument.slice(0, equals).replaceAll('-', '_'), argument.slice(equals + 1));
    return null;
  }

  #debug(level: number): void {
    this.#put('log_min_messages', level > 0 ? `debug${level}` : 'notice');
    if (level >= 2) this.#put('log_statement', 'all');
    if (level >= 3) this.#put('debug_print_parse', 'true');
    if (level >= 4) this.#put('debug_print_plan', 'true');
    if (level >= 5) this.#put('debug_print_rewritten', 'true');
  }

  #put(name: string, value: string): void {
    this.settings.push({ name, value });
  }
}

/** `-t`: the statistics to be logged. */
function statisticsOf(argument: string): string | undefined {
  if (argument.startsWith('pa')) return 'log_parser_stats';
  if (argument.startsWith('pl')) return 'log_planner_stats';
  return argument.startsWith('e') ? 'log_executor_stats' : undefined;
}

/** Words parted by white space, in which a backslash takes the next character literally. */
function splitOptions(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let isEscaped = false;
  for (const character of text) {
    if (!isEscaped && ' \t\n\v\f\r'.includes(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (!isEscaped && character === '\\') {
      // A backslash at the very end stands for nothing, yet it begins a word.
      word ??= '';
      isEscaped = true;
    } else {
      word = (word ?? '') + character;
      isEscaped = false;
    }
  }
  if (word !== null) words.push(word);
  return words;
}
