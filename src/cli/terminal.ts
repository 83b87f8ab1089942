/** The streams and environment a command works with, handed in so that a test can watch them. */

export type Terminal = {
  /** Writes to standard output: only what the user asked for. */
  out(text: string): void;
  /** Writes to standard error: everything else. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly usesColor: boolean;
};

const DEBUG_VARIABLE = 'MILLRACE_DEBUG';

/** True when the user asks for stacks and debug messages. */
export function isDebugging(terminal: Terminal): boolean {
  return terminal.env[DEBUG_VARIABLE] === '1';
}
