/** The command line: finds the command, checks its options, runs it, and tells how it ended. */
import { stripVTControlCharacters } from 'node:util';
import { renderUsage } from 'citty';
import picocolors from 'picocolors';
import { nearestWord } from '../config/nearest.ts';
import { commandArgs, isCommandName, makeProgram, type Program } from './commands.ts';
import { describeFailure, usageError } from './failure.ts';
import { isDebugging, type Terminal } from './terminal.ts';
import { asksHelp, checkUsage } from './usage.ts';
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
  const meant = nearestWord(name, [...Object.keys(commandArgs), 'help']);
  return usageError(meant === null ? 'unknown command' : `unknown command, did you mean ${meant}?`);
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  const version = readVersion();
  const program = makeProgram(terminal, version);
  const [name = 'help', ...rest] = argv;
  if (name === '--version' || name === '-v') {
    terminal.out(`${version}\n`);
    return 0;
  }
  if (name === 'help' || name === '--help' || name === '-h') {
    return showHelp(program, rest.find((arg) => !arg.startsWith('-')) ?? '', terminal);
  }
  if (name.startsWith('-')) {
    throw usageError(`unknown option ${name.split('=')[0]}, options follow a command`);
  }
  if (!isCommandName(name)) throw unknownCommand(name);
  if (asksHelp(rest)) return showHelp(program, name, terminal);
  checkUsage(name, commandArgs[name], rest);
  const result = await program.commands[name].run(rest);
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
