/** Finds and runs the programs of others that the benchmark needs. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { UsageError } from '../options.ts';

const execute = promisify(execFile);

const OUTPUT_BYTES_MAX = 1_048_576;
/** Where Debian puts PgBouncer, which an ordinary user's PATH does not name. */
const MORE_PLACES = ['/usr/sbin', '/usr/local/sbin'];

/** The path of a program, or null. */
export function findProgram(name: string): string | null {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_PLACES];
  for (const place of places) {
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return null;
}

/** @throws UsageError that says how to get it */
export function requirePgbench(): string {
  const found = findProgram('pgbench');
  if (found !== null) return found;
  throw new UsageError(
    'pgbench is not installed. It comes with PostgreSQL: on Debian and Ubuntu ' +
      '`apt-get install postgresql`, on Fedora `dnf install postgresql-contrib`.',
  );
}

/** What a program has printed. */
export type Output = { readonly stdout: string; readonly stderr: string };

/**
 * Runs a program to its end.
 *
 * @param env what it gets beyond this process's own environment
 * @throws Error with the last of what it said when it fails, or takes longer than the limit
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  timeoutMs: number,
  onStart: (pid: number) => void = () => {},
): Promise<Output> {
  try {
    const running = execute(program, args, {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', ...env },
      timeout: timeoutMs,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    if (running.child.pid !== undefined) onStart(running.child.pid);
    const { stdout, stderr } = await running;
    return { stdout, stderr };
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(`${program} failed: ${said.slice(-2000)}`, { cause: error });
  }
}
