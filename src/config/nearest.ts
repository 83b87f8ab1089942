/** Finds what a mistyped word was meant to be. */

/** Words longer than this are not compared: the work grows with the square of the length. */
const WORD_LENGTH_MAX = 64;

/** Fewest insertions, deletions and substitutions that turn one word into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const substitution = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const shorter = Math.min(row[j] as number, next[j - 1] as number) + 1;
      next.push(Math.min(substitution, shorter));
    }
    row = next;
  }
  return row[to.length] as number;
}

/** The known word nearest to `word`, or null when none is near enough to be meant. */
export function nearestWord(word: string, known: readonly string[]): string | null {
  if (word.length > WORD_LENGTH_MAX) return null;
  const tolerance = Math.max(2, Math.floor(word.length / 3));
  let best: string | null = null;
  let bestDistance = tolerance + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
