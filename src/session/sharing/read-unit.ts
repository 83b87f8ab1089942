import { indexOfZero, readUint32 } from '../../base/bytes.ts';
import { ClientCode } from '../../protocol/codes.ts';

/** Larger units go alone: they would hold up others while they are written. */
const UNIT_BYTES_MAX = 16_384;
const HEADER_BYTES = 5;
const PORTAL = 0x50;
/** Describe of the unnamed portal, and Close likewise: kind and an empty name. */
const DESCRIBE_BYTES = 7;
/** Execute of the unnamed portal without a limit of rows: an empty name and zero. */
const EXECUTE_BYTES = 10;
const SYNC_BYTES = 5;

/** Where the parts of a unit of the extended protocol lie in its chunk. */
export type ExtendedParts = {
  /** Where the zero that ends the name of the Parse lies; -1 without a Parse. */
  readonly parseAt: number;
  /** Where Parse ends and Bind begins. */
  readonly bindAt: number;
  /** Of the statement's name in the Bind, without the zero that ends it. */
  readonly nameStart: number;
  readonly nameEnd: number;
  readonly hasDescribe: boolean;
};

/** Whether the chunk is one simple Query whose text ends where its message ends. */
export function isWholeQuery(chunk: Uint8Array): boolean {
  const end = chunk.length;
  return (
    chunk[0] === ClientCode.Query &&
    end > HEADER_BYTES &&
    end <= UNIT_BYTES_MAX &&
    readUint32(chunk, 1) + 1 === end &&
    indexOfZero(chunk, HEADER_BYTES, end) === end - 1
  );
}

/**
 * The parts of a chunk that is one unit: Parse of the unnamed statement or none, Bind of the
 * unnamed portal, its Describe or none, its Execute without a limit, Sync. Null for all else.
 */
export function extendedParts(chunk: Uint8Array): ExtendedParts | null {
  const end = chunk.length;
  if (end > UNIT_BYTES_MAX) return null;
  let bindAt = 0;
  if (chunk[0] === ClientCode.Parse) {
    bindAt = endOfMessage(chunk, 0);
    // A name makes it a statement that the client wants to keep: that goes alone, once.
    if (bindAt < 0 || chunk[HEADER_BYTES] !== 0) return null;
  }
  if (chunk[bindAt] !== ClientCode.Bind || chunk[bindAt + HEADER_BYTES] !== 0) return null;
  let at = endOfMessage(chunk, bindAt);
  if (at < 0) return null;
  const nameStart = bindAt + HEADER_BYTES + 1;
  const nameEnd = indexOfZero(chunk, nameStart, at);
  const hasDescribe = chunk[at] === ClientCode.Describe;
  if (hasDescribe) {
    const isOfPortal = chunk[at + HEADER_BYTES] === PORTAL && isSized(chunk, at, DESCRIBE_BYTES);
    if (!isOfPortal) return null;
    at += DESCRIBE_BYTES;
  }
  if (nameEnd < 0 || at + EXECUTE_BYTES + SYNC_BYTES !== end) return null;
  const isExecute =
    chunk[at] === ClientCode.Execute &&
    isSized(chunk, at, EXECUTE_BYTES) &&
    chunk[at + HEADER_BYTES] === 0 &&
    readUint32(chunk, at + HEADER_BYTES + 1) === 0;
  const isSync =
    chunk[at + EXECUTE_BYTES] === ClientCode.Sync && isSized(chunk, at + EXECUTE_BYTES, SYNC_BYTES);
  if (!isExecute || !isSync) return null;
  return {
    parseAt: bindAt === 0 ? -1 : HEADER_BYTES,
    bindAt,
    nameStart,
    nameEnd,
    hasDescribe,
  };
}

function isSized(chunk: Uint8Array, at: number, size: number): boolean {
  return at + size <= chunk.length && readUint32(chunk, at + 1) + 1 === size;
}

/** Where the message at `at` ends, when it is followed by another one; -1 when it is not. */
function endOfMessage(chunk: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > chunk.length) return -1;
  const size = readUint32(chunk, at + 1) + 1;
  return size > HEADER_BYTES && at + size < chunk.length ? at + size : -1;
}
