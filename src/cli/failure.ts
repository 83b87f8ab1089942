/** How the command line tells that it failed: short lines and an exit code, never a stack. */
import { errorTable, GatewayError } from '../base/errors.ts';
import { ConfigError, spellProblem } from '../config/problems.ts';

export type Failure = { readonly lines: readonly string[]; readonly exitCode: number };

/** A mistake of the user's on the command line. The subject must hold no value of an option. */
export function usageError(subject: string, command = ''): GatewayError {
  const help = command === '' ? 'millrace --help' : `millrace ${command} --help`;
  return new GatewayError('MR_USAGE', { subject: `${subject}; see ${help}` });
}

/** The system's error code in an error or its causes, or empty. */
export function systemCodeOf(error: unknown): string {
  let at: unknown = error;
  for (let depth = 0; depth < 8 && at instanceof Error; depth++) {
    if ('code' in at && typeof at.code === 'string' && /^E[A-Z]+$/.test(at.code)) return at.code;
    at = at.cause;
  }
  return '';
}

const SYSTEM_TEXT: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'permission is denied',
  ECONNREFUSED: 'the connection is refused',
  ENOENT: 'there is no such file',
  ENOSPC: 'the disk is full',
};

const oneLine = (text: string): string => text.replace(/\p{Cc}+/gu, ' ').trim();

function describe(error: GatewayError): string {
  const { hint } = error.row;
  const code = systemCodeOf(error.cause);
  const why = code === '' ? '' : `: ${SYSTEM_TEXT[code] ?? code}`;
  const help = hint === '' || error.code === 'MR_USAGE' ? '' : ` (${hint})`;
  return `${error.message}${why}${help}`;
}

/** What is wrong, a line for each thing, as the log has it. */
export function failureTexts(error: unknown): readonly string[] {
  if (error instanceof ConfigError) {
    return error.problems.map((problem) => oneLine(spellProblem(problem)));
  }
  if (error instanceof GatewayError) return [oneLine(describe(error))];
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return [`internal error: ${oneLine(text)} (MILLRACE_DEBUG=1 shows where)`];
}

/** The lines to print for an error, and the exit code from the error table. */
export function describeFailure(error: unknown): Failure {
  const { exitCode } = error instanceof GatewayError ? error.row : errorTable.MR_INTERNAL;
  return { lines: failureTexts(error).map((text) => `millrace: ${text}`), exitCode };
}
