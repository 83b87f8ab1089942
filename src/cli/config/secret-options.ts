/** Options that may hold a secret: given as they are, or by where they are to be found. */
import { readFileSync } from 'node:fs';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';

const STANDARD_INPUT = 0;

/**
 * `env:NAME`, `file:PATH`, or `-` for standard input; anything else is the value itself. Without
 * them a secret would be in the history of the shell and in the list of processes.
 *
 * @param option the option's name with its dashes, or that of the argument
 */
export function readSecret(value: string, option: string, terminal: Terminal): string {
  const found = find(value, option, terminal).replace(/\r?\n$/, '');
  if (found === '') throw usageError(`${option}: what it points to is empty`);
  return found;
}

function find(value: string, option: string, { env }: Terminal): string {
  if (value.startsWith('env:')) {
    const name = value.slice('env:'.length);
    const found = env[name];
    if (found === undefined) throw usageError(`${option}: the variable ${name} is not set`);
    return found;
  }
  if (value !== '-' && !value.startsWith('file:')) return value;
  try {
    return readFileSync(value === '-' ? STANDARD_INPUT : value.slice('file:'.length), 'utf8');
  } catch {
    throw usageError(`${option}: what it points to cannot be read`);
  }
}
