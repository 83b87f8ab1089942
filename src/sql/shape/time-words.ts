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

/** Whether one of the words, in `bytes[start, end)`, has its last letter at `at`. */
export function endsTimeWord(bytes: Uint8Array, at: number, start: number, end: number): boolean {
  // All of them end so, and few others do.
  const before = at > start ? (bytes[at - 1] as number) | 0x20 : 0;
  if (before !== 0x6f && before !== 0x61) return false;
  if (at + 1 < end && isLetter(bytes[at + 1])) return false;
  let first = at;
  while (first > start && isLetter(bytes[first - 1])) first--;
  const size = at + 1 - first;
  for (const word of WORDS) {
    if (word.length !== size) continue;
    let same = 0;
    while (same < size && ((bytes[first + same] as number) | 0x20) === word.charCodeAt(same))
      same++;
    if (same === size) return true;
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
