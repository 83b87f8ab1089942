/**
 * Words that PostgreSQL reads as a time of its own clock: `now`, `today`, `tomorrow`, `yesterday`,
 * alone or among others in a string (`datetktbl` of `datetime.c`, 13 to 18). In a constant they are
 * read once, when its statement is parsed, and not each time that it runs.
 */

const WORDS: readonly string[] = ['now', 'today', 'tomorrow', 'yesterday'];

const isLetter = (byte: number | undefined): boolean => {
  const letter = (byte ?? 0) | 0x20;
  return letter >= 0x61 && letter <= 0x7a;
};

/** In arrays, ranges and rows these may stand inside of a word, and are taken away. */
const isJoint = (byte: number | undefined): boolean => byte === 0x22 || byte === 0x5c;

const LETTERS_MAX = 10;
/** The letters of a word, the last one first. */
const letters = new Uint8Array(LETTERS_MAX);

/** Whether one of the words, in `bytes[start, end)`, has its last letter at `at`. */
export function endsTimeWord(bytes: Uint8Array, at: number, start: number, end: number): boolean {
  if (at + 1 < end && isLetter(bytes[at + 1])) return false;
  // All of them end so, and few others do.
  const before = at > start ? (bytes[at - 1] as number) : 0;
  if ((before | 0x20) !== 0x6f && (before | 0x20) !== 0x61 && !isJoint(before)) return false;
  let size = 0;
  for (let from = at; from >= start && size < LETTERS_MAX; from--) {
    const byte = bytes[from] as number;
    if (isLetter(byte)) letters[size++] = byte | 0x20;
    else if (!isJoint(byte)) break;
    else if (isTimeWord(size)) return true;
  }
  return isTimeWord(size);
}

function isTimeWord(size: number): boolean {
  for (const word of WORDS) {
    let same = 0;
    while (same < size && letters[size - 1 - same] === word.charCodeAt(same)) same++;
    if (same === size && size === word.length) return true;
  }
  return false;
}

/** Whether `bytes[start, end)` holds one of the words. */
export function holdsTimeWord(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const letter = (bytes[at] as number) | 0x20;
    if ((letter === 0x77 || letter === 0x79) && endsTimeWord(bytes, at, start, end)) return true;
  }
  return false;
}
