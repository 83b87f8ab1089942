/** The command line: finds the command, checks its options, runs it, and tells how it ended. */
import { stripVTControlCharacters } from 'node:util';
import { renderUsage } from 'citty';
import picocolors from 'picocolors';
import { nearestWord } from '../config/nearest.ts';
import {
  commandAliases,
  commandArgs,
  isCommandName,
  makeProgram,
  type Program,
} from './commands.ts';
import { describeFailure, usageError } from './failure.ts';
import { isDebugging, type Terminal } from './terminal.ts';
import { asksHelp, checkUsage, withoutAliases, withPlainSwitches } from './usage.ts';
import { readVersion } from './version.ts';

async function showHelp(program: Program, name: string, terminal: Terminal): Promise<number> {
  if (name !== '' && !isCommandName(name)) throw unknownCommand(name);
  const usage = isCommandName(name)
    ? await program.commands[name].usage()
    : await renderUsage(program.root);
  terminal.out(`${terminal.usesColor ? usage : stripVTControlCharacters(usage)}\n`);
  return 0;
}

function unknownCommand(name: string) {
  const second = Object.keys(commandArgs)
    .filter((known) => known.startsWith(`${name} `))
    .map((known) => known.slice(name.length + 1));
  if (second.length > 0) return usageError(`${name} is followed by ${second.join(', ')}`);
  const meant = nearestWord(name, [...Object.keys(commandArgs), 'help']);
  return usageError(meant === null ? 'unknown command' : `unknown command, did you mean ${meant}?`);
}

/** Words of the longest name, as in `iam user create`. */
const NAME_WORDS_MAX = 3;

/** The command, of as many words as it has, and what follows it. */
function splitCommand(argv: readonly string[]): { name: string; rest: readonly string[] } {
  const [first = 'help'] = argv;
  const option = argv.findIndex((arg) => arg.startsWith('-'));
  const words = argv.slice(0, option === -1 ? NAME_WORDS_MAX : Math.min(option, NAME_WORDS_MAX));
  for (let count = words.length; count > 1; count--) {
    const name = words.slice(0, count).join(' ');
    if (isCommandName(name)) return { name, rest: argv.slice(count) };
  }
  // Of one that only begins as a command does, the first word that does not fit as well.
  const fitting = words.findIndex((_, at) => !isBeginning(words.slice(0, at + 1).join(' ')));
  const count = fitting === -1 ? words.length : fitting + 1;
  return { name: words.slice(0, count).join(' ') || first, rest: argv.slice(Math.max(count, 1)) };
}

const isBeginning = (words: string): boolean =>
  Object.keys(commandArgs).some((name) => name.startsWith(`${words} `));

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const version = readVersion();
  const program = makeProgram(terminal, version);
  const { name, rest } = splitCommand(argv);
  if (name === '--version' || name === '-v') {
    terminal.out(`${version}\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    const words = rest.filter((arg) => !arg.startsWith('-'));
    return showHelp(program, words.length === 0 ? '' : splitCommand(words).name, terminal);
  }
  if (name.startsWith('-')) {
    throw usageError(`unknown option ${name.split('=')[0]}, options follow a command`);
  }
  if (!isCommandName(name)) throw unknownCommand(name);
  if (asksHelp(rest)) return showHelp(program, name, terminal);
  const named = withoutAliases(rest, commandAliases[name] ?? {});
  const args = withPlainSwitches(commandArgs[name], named);
  checkUsage(name, commandArgs[name], args);
  const result = await program.commands[name].run(args);
  return typeof result === 'number' ? result : 0;
}

/** Runs one command line to its end; the exit code. Never throws. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    const { lines, exitCode } = describeFailure(error);
    const paint = picocolors.createColors(terminal.usesColor);
    for (const line of lines) terminal.err(`${paint.red(line)}\n`);
    if (isDebugging(terminal) && error instanceof Error) terminal.err(`${error.stack}\n`);
    return exitCode;
  }
}
