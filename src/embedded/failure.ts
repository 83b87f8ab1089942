import { GatewayError } from '../base/errors.ts';

/** Most characters of a program's own words that an error repeats. */
const tailLengthMax = 2000;

/** The end of what a program said, without the given secrets. */
export function tailOf(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '…');
  return clean.trim().slice(-tailLengthMax);
}

/**
 * An `MR_EMBEDDED_FAILED`.
 *
 * @param subject what could not be done, in words for the user; never a secret
 * @param said the program's own words; already freed of secrets
 */
export function embeddedFailure(subject: string, said = '', cause?: unknown): GatewayError {
  const text = said === '' ? subject : `${subject}\n${said}`;
  return new GatewayError('MR_EMBEDDED_FAILED', { subject: text, cause });
}

/** The `code` of a failed system call such as `ENOENT`; empty for anything else. */
export function errnoOf(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** What went wrong, in the words of the system. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
