/** Time and randomness as values handed in: pure code takes these and never asks the machine. */

export type Clock = {
  /** Milliseconds on a clock that never goes back; its zero has no meaning. */
  nowMs(): number;
};

export type Random = {
  /** Fresh cryptographically strong bytes, owned by the caller. */
  bytes(count: number): Uint8Array;
};
