import { textWithoutComments, visitParts } from '../../sql/shape/text-parts.ts';

/** What a comment in a statement asks of the cache: `/* millrace: no-cache *\/`, `max_age=5`. */
export type ReadHints = {
  readonly isOff: boolean;
  /** In seconds; null when nothing is said. */
  readonly maxAgeS: number | null;
};

export type ReadText = {
  /** Without comments, as a byte string. */
  readonly text: string;
  readonly hints: ReadHints;
};

const NO_HINTS: ReadHints = { isOff: false, maxAgeS: null };
const DASH = 0x2d;
const SLASH = 0x2f;
const STAR = 0x2a;
const HINTS = /^(?:\/\*|--)\s*millrace:(.*?)(?:\*\/)?$/s;
const MAX_AGE = /^max_age=(\d{1,6})$/;
const AGE_S_MAX = 3600;

/** Null when something in the text does not end. */
export function readText(bytes: Uint8Array, start: number, end: number): ReadText | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!mayHaveComment(bytes, start, end)) {
    return { text: buffer.toString('latin1', start, end), hints: NO_HINTS };
  }
  const text = textWithoutComments(bytes, start, end);
  if (text === null) return null;
  let hints = NO_HINTS;
  visitParts(bytes, start, end, {
    plain: () => {},
    parameter: () => {},
    comment: (from, to) => {
      hints = withHints(hints, buffer.toString('latin1', from, to));
    },
  });
  return { text, hints };
}

function mayHaveComment(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at + 1 < end; at++) {
    const byte = bytes[at];
    if (byte === DASH && bytes[at + 1] === DASH) return true;
    if (byte === SLASH && bytes[at + 1] === STAR) return true;
  }
  return false;
}

/** What is not understood is ignored, as any other comment. */
function withHints(hints: ReadHints, comment: string): ReadHints {
  const words = HINTS.exec(comment)?.[1]?.split(/[\s,;]+/) ?? [];
  let { isOff, maxAgeS } = hints;
  for (const word of words) {
    if (word === 'no-cache') isOff = true;
    const age = MAX_AGE.exec(word)?.[1];
    if (age !== undefined) maxAgeS = Math.min(Number(age), AGE_S_MAX);
  }
  return { isOff, maxAgeS };
}
