/** The strict reading of options that the argument parser leaves to its callers. */
import { parseArgs } from 'node:util';
import type { ArgsDef } from 'citty';
import { WORKERS_MAX } from '../config/keys.ts';
import type { WorkerCount } from '../config/model.ts';
import { nearestWord } from '../config/nearest.ts';
import { usageError } from './failure.ts';

const HELP_FLAGS: readonly string[] = ['--help', '-h'];

/** Whether help is asked for anywhere before `--`. */
export function asksHelp(rawArgs: readonly string[]): boolean {
  const end = rawArgs.indexOf('--');
  const options = end === -1 ? rawArgs : rawArgs.slice(0, end);
  return options.some((arg) => HELP_FLAGS.includes(arg));
}

/** The same options under their own names; what follows `--` is left alone. */
export function withoutAliases(
  rawArgs: readonly string[],
  aliases: Readonly<Record<string, string>>,
): readonly string[] {
  const end = rawArgs.indexOf('--');
  return rawArgs.map((arg, at) => {
    if (!arg.startsWith('--') || (end !== -1 && at >= end)) return arg;
    const [spelled = '', ...value] = arg.slice(2).split('=');
    const name = Object.hasOwn(aliases, spelled) ? aliases[spelled] : spelled;
    return [`--${name}`, ...value].join('=');
  });
}

/**
 * Switches as the argument parser reads them: `--name`, or `--no-name`, for `--name true`,
 * `--name=false` and the like, all of which wrangler takes.
 */
export function withPlainSwitches(args: ArgsDef, rawArgs: readonly string[]): readonly string[] {
  const end = rawArgs.indexOf('--');
  const plain: string[] = [];
  for (let at = 0; at < rawArgs.length; at++) {
    const arg = rawArgs[at] as string;
    const [name = '', value] = arg.slice(2).split('=');
    const isSwitch = arg.startsWith('--') && args[name]?.type === 'boolean';
    const next = value ?? rawArgs[at + 1];
    if ((end === -1 || at < end) && isSwitch && (next === 'true' || next === 'false')) {
      plain.push(next === 'true' ? `--${name}` : `--no-${name}`);
      if (value === undefined) at++;
    } else plain.push(arg);
  }
  return plain;
}

type Kind = 'string' | 'boolean';

function optionKinds(args: ArgsDef): Map<string, Kind> {
  const kinds = new Map<string, Kind>();
  for (const [name, arg] of Object.entries(args)) {
    if (arg.type === 'boolean') kinds.set(name, 'boolean');
    else if (arg.type !== 'positional') kinds.set(name, 'string');
  }
  return kinds;
}

/** The option that a `--name` or, of a switch, a `--no-name` is of. */
function optionOf(kinds: ReadonlyMap<string, Kind>, spelled: string): string {
  const name = spelled.replace(/^no-/, '');
  return !kinds.has(spelled) && kinds.get(name) === 'boolean' ? name : spelled;
}

function checkOption(
  command: string,
  kinds: ReadonlyMap<string, Kind>,
  token: { readonly name: string; readonly rawName: string; readonly value?: string | undefined },
): void {
  const kind = kinds.get(token.name);
  if (kind === undefined && kinds.has(optionOf(kinds, token.name))) return;
  if (kind === undefined) {
    const meant = nearestWord(token.name, [...kinds.keys()]);
    const suggestion = meant === null ? '' : `, did you mean --${meant}?`;
    throw usageError(`unknown option ${token.rawName}${suggestion}`, command);
  }
  if (kind === 'boolean' && token.value !== undefined) {
    throw usageError(`option --${token.name} takes no value but true or false`, command);
  }
  if (kind === 'string' && (token.value === undefined || token.value === '')) {
    throw usageError(`option --${token.name} needs a value`, command);
  }
}

/**
 * Throws MR_USAGE for the first option that is unknown, repeated, without its value or with one too
 * many, and for too many or too few arguments. Never quotes a value: it may be a secret.
 */
export function checkUsage(command: string, args: ArgsDef, rawArgs: readonly string[]): void {
  const kinds = optionKinds(args);
  const options = Object.fromEntries([...kinds].map(([name, type]) => [name, { type }]));
  const { tokens } = parseArgs({
    args: [...rawArgs],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const seen = new Set<string>();
  let positionals = 0;
  for (const token of tokens) {
    if (token.kind === 'positional') positionals++;
    if (token.kind !== 'option') continue;
    checkOption(command, kinds, token);
    if (token.value?.startsWith('--') && !token.inlineValue) {
      throw usageError(`option --${token.name} needs a value`, command);
    }
    const name = optionOf(kinds, token.name);
    if (seen.has(name)) throw usageError(`option --${name} is given twice`, command);
    seen.add(name);
  }
  for (const [name, arg] of Object.entries(args)) {
    if (arg.type !== 'positional' && arg.required === true && !seen.has(name)) {
      throw usageError(`option --${name} is missing`, command);
    }
  }
  const known = Object.entries(args).filter(([, arg]) => arg.type === 'positional');
  const missing = known[positionals];
  if (missing !== undefined) throw usageError(`${missing[0].toUpperCase()} is missing`, command);
  if (positionals > known.length) throw usageError('too many arguments', command);
}

/** A TCP port out of an option's text. */
export function parsePort(text: string, command: string, option = '--port'): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw usageError(`${option} must be a number from 0 to 65535`, command);
}

/** A number of worker processes, or `auto`, out of an option's text. */
export function parseWorkers(text: string, command: string): WorkerCount {
  const count = Number(text);
  if (text === 'auto') return text;
  if (/^\d{1,3}$/.test(text) && count >= 1 && count <= WORKERS_MAX) return count;
  throw usageError(`--workers must be auto, or a number from 1 to ${WORKERS_MAX}`, command);
}
