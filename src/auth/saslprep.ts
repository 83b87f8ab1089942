/**
 * SASLprep (RFC 4013), with PostgreSQL's two liberties: plain ASCII passes untouched, and a
 * password the profile refuses is used as it stands (pg_saslprep and its callers).
 */
import {
  type CodePointSet,
  contains,
  LEFT_TO_RIGHT,
  MAPPED_TO_NOTHING,
  OTHER_SPACES,
  PROHIBITED,
  RIGHT_TO_LEFT,
  UNASSIGNED,
} from './saslprep-tables.ts';

/** Normalises a password for SCRAM; the result goes into the key derivation as UTF-8. */
export function saslprep(password: string): string {
  // The ASCII range written with \x escapes, since PostgreSQL lets control characters pass here.
  if (!/[^\0-\x7f]/.test(password)) return password;
  let mapped = '';
  for (const character of password) {
    const codePoint = character.codePointAt(0) as number;
    if (contains(OTHER_SPACES, codePoint)) mapped += ' ';
    else if (!contains(MAPPED_TO_NOTHING, codePoint)) mapped += character;
  }
  if (mapped === '') return password;
  const normalised = mapped.normalize('NFKC');
  return isAllowed(normalised) ? normalised : password;
}

function isAllowed(text: string): boolean {
  const codePoints = Array.from(text, (character) => character.codePointAt(0) as number);
  const holds = (set: CodePointSet) => (codePoint: number) => contains(set, codePoint);
  if (codePoints.some(holds(PROHIBITED)) || codePoints.some(holds(UNASSIGNED))) return false;
  if (!codePoints.some(holds(RIGHT_TO_LEFT))) return true;
  // RFC 3454, section 6: text that runs right to left begins and ends so, and holds nothing else.
  return (
    !codePoints.some(holds(LEFT_TO_RIGHT)) &&
    contains(RIGHT_TO_LEFT, codePoints[0] as number) &&
    contains(RIGHT_TO_LEFT, codePoints.at(-1) as number)
  );
}
