/**
 * So much of an answer is kept until it is complete: what the client has not seen can be asked for
 * again, and most answers come in one piece anyway.
 */
const HELD_BYTES_MAX = 16_384;

/** Bytes of the server's. */
type Piece = { readonly chunk: Uint8Array; readonly start: number; readonly end: number };

/** What has come of an answer and was not passed on. */
export class HeldAnswer {
  readonly #pieces: Piece[] = [];
  #bytes = 0;

  /**
   * Keeps `[start, end)`, which nobody changes any more.
   * @returns whether there may be more; if not, what is kept is to be given or dropped
   */
  keep(chunk: Uint8Array, start: number, end: number): boolean {
    this.#pieces.push({ chunk, start, end });
    this.#bytes += end - start;
    return this.#bytes <= HELD_BYTES_MAX;
  }

  /** Passes on what was kept, in its order. */
  giveTo(take: (chunk: Uint8Array, start: number, end: number) => void): void {
    for (const { chunk, start, end } of this.#pieces) take(chunk, start, end);
    this.drop();
  }

  drop(): void {
    this.#pieces.length = 0;
    this.#bytes = 0;
  }
}
