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

/** The lines to print for an error, and the exit code from the error table. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof ConfigError) {
    const lines = error.problems.map((problem) => `millrace: ${oneLine(spellProblem(problem))}`);
    return { lines, exitCode: error.row.exitCode };
  }
  if (error instanceof GatewayError) {
    return { lines: [`millrace: ${oneLine(describe(error))}`], exitCode: error.row.exitCode };
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const line = `millrace: internal error: ${oneLine(text)} (MILLRACE_DEBUG=1 shows where)`;
  return { lines: [line], exitCode: errorTable.MR_INTERNAL.exitCode };
}
