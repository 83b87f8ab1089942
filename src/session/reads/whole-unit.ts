import { readUint32 } from '../../base/bytes.ts';
import { ClientCode } from '../../protocol/codes.ts';

const HEADER_BYTES = 5;
const PORTAL = 0x50;
const STATEMENT = 0x53;
/** Describe of the unnamed portal, Execute of it without a limit of rows, Sync: all of each. */
const DESCRIBE_BYTES = 7;
const EXECUTE_BYTES = 10;
const SYNC_BYTES = 5;
/** Before the name in a Describe. */
const DESCRIBE_HEAD_BYTES = 6;

/**
 * Finds a unit of one statement that lies whole in what a client has sent: a simple Query, or Parse
 * and its Describe if need be, Bind, Describe of the portal if need be, Execute without a limit of
 * rows, and Sync, all of the unnamed portal. Also the part of one with which some drivers ask what
 * a statement takes before they bind it: Parse, its Describe, and Flush or Sync. Any other unit is
 * none for the cache.
 */
export class WholeUnit {
  /** Behind its last message. */
  end = 0;
  isSimple = false;
  /** -1 when there is none. */
  parseAt = -1;
  parseEnd = -1;
  bindAt = -1;
  bindEnd = -1;
  /** Behind the name of the portal, and of the statement: where each has its zero. */
  portalEnd = -1;
  nameEnd = -1;
  isDescribed = false;
  /** A Describe of the statement stands behind its Parse. */
  describesStatement = false;
  /** Whether the statement is run. */
  isRun = false;
  /** Whether the part that does not run it ends with Sync. */
  isSynced = false;

  /** False when there is none at `start`. */
  read(chunk: Uint8Array, start: number, end: number): boolean {
    this.parseAt = -1;
    this.bindAt = -1;
    this.isDescribed = false;
    this.describesStatement = false;
    this.isRun = true;
    let at = start;
    let next = endOfMessage(chunk, at, end);
    if (next < 0) return false;
    this.isSimple = chunk[at] === ClientCode.Query;
    if (this.isSimple) {
      this.end = next;
      return chunk.indexOf(0, at + HEADER_BYTES) === next - 1;
    }
    if (chunk[at] === ClientCode.Parse) {
      this.parseAt = at;
      this.parseEnd = next;
      at = next;
      next = endOfMessage(chunk, at, end);
      this.describesStatement = next >= 0 && this.#isDescribe(chunk, at, next);
      if (this.describesStatement) {
        at = next;
        next = endOfMessage(chunk, at, end);
        if (next - at === SYNC_BYTES && chunk[at] !== ClientCode.Bind) {
          return this.#endAsked(chunk[at] as number, next);
        }
      }
    }
    if (next < 0 || chunk[at] !== ClientCode.Bind || !this.#readBind(chunk, at, next)) return false;
    return this.#readRest(chunk, next, end);
  }

  /** Whether the message describes the statement of the Parse. */
  #isDescribe(chunk: Uint8Array, at: number, end: number): boolean {
    if (chunk[at] !== ClientCode.Describe || chunk[at + 5] !== STATEMENT) return false;
    const nameAt = this.parseAt + HEADER_BYTES;
    const size = end - at - DESCRIBE_HEAD_BYTES;
    for (let n = 0; n < size; n++) {
      if (chunk[at + DESCRIBE_HEAD_BYTES + n] !== chunk[nameAt + n]) return false;
    }
    return size > 0 && chunk[end - 1] === 0 && chunk.indexOf(0, nameAt) === nameAt + size - 1;
  }

  #endAsked(code: number, end: number): boolean {
    this.end = end;
    this.isRun = false;
    this.isSynced = code === ClientCode.Sync;
    return this.isSynced || code === ClientCode.Flush;
  }

  #readBind(chunk: Uint8Array, start: number, end: number): boolean {
    this.bindAt = start;
    this.bindEnd = end;
    this.portalEnd = start + HEADER_BYTES;
    if (chunk[this.portalEnd] !== 0) return false;
    this.nameEnd = chunk.indexOf(0, this.portalEnd + 1);
    return this.nameEnd > 0 && this.nameEnd < end;
  }

  #readRest(chunk: Uint8Array, start: number, end: number): boolean {
    let at = start;
    let next = endOfMessage(chunk, at, end);
    if (next - at === DESCRIBE_BYTES && chunk[at] === ClientCode.Describe) {
      if (chunk[at + 5] !== PORTAL || chunk[at + 6] !== 0) return false;
      this.isDescribed = true;
      at = next;
      next = endOfMessage(chunk, at, end);
    }
    if (next - at !== EXECUTE_BYTES || chunk[at] !== ClientCode.Execute) return false;
    if (chunk[at + 5] !== 0 || readUint32(chunk, at + 6) !== 0) return false;
    at = next;
    next = endOfMessage(chunk, at, end);
    this.end = next;
    return next - at === SYNC_BYTES && chunk[at] === ClientCode.Sync;
  }
}

/** -1 when it is not all there. */
function endOfMessage(chunk: Uint8Array, at: number, end: number): number {
  if (at + HEADER_BYTES > end) return -1;
  const next = at + 1 + readUint32(chunk, at + 1);
  return next >= at + HEADER_BYTES && next <= end ? next : -1;
}
