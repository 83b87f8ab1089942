import { ClientCode } from '../../protocol/codes.ts';
import { WholeUnit } from '../reads/whole-unit.ts';

const HEADER_BYTES = 5;
/** Larger units go alone: they would hold up others while they are written. */
const UNIT_BYTES_MAX = 16_384;

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

/** Read and forgotten within one call. */
const unit = new WholeUnit();

/** Whether the chunk is one small unit, and nothing else. */
function readAlone(chunk: Uint8Array): boolean {
  const end = chunk.length;
  return end <= UNIT_BYTES_MAX && unit.read(chunk, 0, end) && unit.end === end;
}

/** Whether the chunk is one simple Query whose text ends where its message ends. */
export function isWholeQuery(chunk: Uint8Array): boolean {
  return chunk[0] === ClientCode.Query && readAlone(chunk);
}

/**
 * The parts of a chunk that is one unit: Parse of the unnamed statement or none, Bind of the
 * unnamed portal, its Describe or none, its Execute without a limit, Sync. Null for all else.
 */
export function extendedParts(chunk: Uint8Array): ExtendedParts | null {
  if (chunk[0] === ClientCode.Query || !readAlone(chunk) || unit.describesStatement) return null;
  const { bindAt, portalEnd, nameEnd } = unit;
  const parseAt = unit.parseAt < 0 ? -1 : unit.parseAt + HEADER_BYTES;
  // A name makes it a statement that the client wants to keep: that goes alone, once.
  if (parseAt >= 0 && chunk[parseAt] !== 0) return null;
  return { parseAt, bindAt, nameStart: portalEnd + 1, nameEnd, hasDescribe: unit.isDescribed };
}
