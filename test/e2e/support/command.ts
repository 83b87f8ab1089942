/** Programs of others that run to their end. */
import { spawn } from 'node:child_process';
import { plainEnvironment } from './program.ts';

const TIMEOUT_MS = 60_000;

export type CommandOptions = {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly uid?: number;
  readonly gid?: number;
};

export type CommandResult = {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs it; killed after its time, which then shows as a code of null. */
export function run(
  file: string,
  args: readonly string[],
  { env = {}, input = '', timeoutMs = TIMEOUT_MS, ...rest }: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      ...rest,
      env: plainEnvironment(env),
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
      resolve({ code, stdout: text(out), stderr: text(err) });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Runs it and throws with all it said unless it ends well; its standard output. */
export async function runWell(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code === 0) return stdout;
  throw new Error(`${file} ended with ${code}\n--- stdout\n${stdout}\n--- stderr\n${stderr}`);
}

/** psql without the files of this user; rows come unaligned, fields apart by `|`. */
export function psqlArgs(url: string, ...args: readonly string[]): string[] {
  return ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, ...args];
}

/** A script through psql's standard input; what it printed, without the last line break. */
export async function psql(url: string, script: string, ...args: string[]): Promise<string> {
  const said = await runWell('psql', psqlArgs(url, '-f', '-', ...args), { input: script });
  return said.trimEnd();
}
