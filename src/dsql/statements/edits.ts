/** Changes to a text at byte offsets, such as the parse tree gives. */

export type Edit = {
  /** Half-open, in bytes of the whole text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
};

/** `bytes[start, end)` with those of the edits that lie in it; they do not overlap. */
export function applyEdits(
  bytes: Uint8Array,
  start: number,
  end: number,
  edits: readonly Edit[],
): string {
  const pieces: string[] = [];
  let at = start;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at || edit.end > end) continue;
    pieces.push(slice(bytes, at, edit.start), edit.text);
    at = edit.end;
  }
  pieces.push(slice(bytes, at, end));
  return pieces.join('');
}

export function slice(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
