/**
 * Keys of reads: everything that can change a byte of an answer, as a byte string. Neither texts
 * nor settings can hold a zero.
 */

export type ReadKeyParts = {
  /** The role at the origin. */
  readonly role: string;
  /** {@link Settings.resultSignature} of the client. */
  readonly settings: string;
  /** The text without its comments. */
  readonly text: string;
};

export function simpleKey({ role, settings, text }: ReadKeyParts): string {
  return `Q${role}\0${settings}\0${text}`;
}

/**
 * @param types of the parameters, as in the Parse
 * @param bound what the Bind says behind its names
 */
export function extendedKey(
  { role, settings, text }: ReadKeyParts,
  types: string,
  bound: string,
): string {
  return `X${role}\0${settings}\0${text}\0${types}\0${bound}`;
}

/** The text of the read that the key is of. */
export function textOfKey(key: string): string {
  const start = key.indexOf('\0', key.indexOf('\0') + 1) + 1;
  const end = key.startsWith('Q') ? key.length : key.indexOf('\0', start);
  return key.slice(start, end);
}
