import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogStore, RECORD_WORDS } from '../../cache/write-log.ts';
import { WORKER_NUMBER_MAX } from '../clients/client-registry.ts';

/** One for each number that a worker can have; those begin with 1, so the first is nobody's. */
export const CELLS = WORKER_NUMBER_MAX + 1;
/** The number of records of a ring, twice: what is read while it changes does not agree. */
const CELL_COUNTS = 2;
const CELL_BYTES = CELL_COUNTS * Float64Array.BYTES_PER_ELEMENT;
const CELLS_BYTES = CELLS * CELL_BYTES;
/** Some seconds' worth of writes, and room for 4,096 that are under way. */
const RING_RECORDS = 65_536;
const RECORD_BYTES = RECORD_WORDS * Uint32Array.BYTES_PER_ELEMENT;
const RING_BYTES = RING_RECORDS * RECORD_BYTES;
/** A cell that is being written agrees again at once, unless its writer was stopped right there. */
const COUNT_ATTEMPTS_MAX = 1_000_000;
/** In memory where there is such a folder. */
const FOLDERS: readonly string[] = ['/dev/shm', tmpdir()];

/**
 * A file without a name, which all workers have open: a cell and a ring for each. What one of them
 * has written is what every other one reads from then on, as POSIX says of `write` and `read`; no
 * message is sent, and nobody has to listen.
 */
export class BoardFile {
  readonly fd: number;
  readonly #cell = new Float64Array(CELL_COUNTS);
  readonly #cellBytes = new Uint8Array(this.#cell.buffer);

  /** @param fd as {@link BoardFile.create} has opened it, or inherited from who did */
  constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Makes a new one; it is gone when nobody has it open any more. The memory of the first rings is
   * taken at once, so that there is enough of it later.
   * @throws Error when no folder has room for it
   */
  static create(rings: number, folders = FOLDERS): BoardFile {
    let problem: unknown = null;
    for (const folder of folders) {
      const path = join(folder, `millrace-${process.pid}-${randomBytes(6).toString('hex')}`);
      let fd: number | null = null;
      try {
        fd = openSync(path, 'wx+', 0o600);
        unlinkSync(path);
        const file = new BoardFile(fd);
        file.#put(Buffer.alloc(CELLS_BYTES), 0);
        for (let worker = 1; worker <= rings; worker++) {
          file.#put(Buffer.alloc(RING_BYTES), ringStart(worker));
        }
        return file;
      } catch (error) {
        if (fd !== null) closeSync(fd);
        problem = error;
      }
    }
    throw problem;
  }

  readCells(into: Cells): void {
    this.#get(into.bytes, 0);
  }

  /** @param worker its number, as everywhere here */
  storeOf(worker: number): LogStore {
    return {
      capacity: RING_RECORDS,
      count: () => this.#count(worker),
      read: (start, end) => this.#read(worker, start, end),
      write: (start, records) => this.#write(worker, start, records),
      announce: (count) => this.#announce(worker, count),
    };
  }

  close(): void {
    closeSync(this.fd);
  }

  #count(worker: number): number {
    for (let attempt = 0; attempt < COUNT_ATTEMPTS_MAX; attempt++) {
      this.#get(this.#cellBytes, worker * CELL_BYTES);
      const [count, again] = this.#cell as unknown as [number, number];
      if (count === again) return count;
    }
    throw new Error('a cell of the board does not agree with itself');
  }

  #announce(worker: number, count: number): void {
    this.#cell.fill(count);
    this.#put(this.#cellBytes, worker * CELL_BYTES);
  }

  #read(worker: number, start: number, end: number): Uint32Array {
    const records = new Uint32Array((end - start) * RECORD_WORDS);
    for (const { at, from, count } of piecesOf(start, end - start)) {
      this.#get(bytesOf(records, at, count), ringStart(worker) + from * RECORD_BYTES);
    }
    return records;
  }

  #write(worker: number, start: number, records: Uint32Array): void {
    for (const { at, from, count } of piecesOf(start, records.length / RECORD_WORDS)) {
      this.#put(bytesOf(records, at, count), ringStart(worker) + from * RECORD_BYTES);
    }
  }

  #get(bytes: Uint8Array, position: number): void {
    const size = readSync(this.fd, bytes, 0, bytes.length, position);
    if (size !== bytes.length) throw new Error('the board is shorter than it was made');
  }

  #put(bytes: Uint8Array, position: number): void {
    const size = writeSync(this.fd, bytes, 0, bytes.length, position);
    if (size !== bytes.length) throw new Error('the board could be written in part only');
  }
}

/** The cells of all workers as they were at one look. */
export class Cells {
  readonly bytes = new Uint8Array(CELLS_BYTES);
  readonly #counts = new Float64Array(this.bytes.buffer);

  /** What the cell of a worker says; null while it is being written. */
  countOf(worker: number): number | null {
    const count = this.#counts[worker * CELL_COUNTS] as number;
    return count === this.#counts[worker * CELL_COUNTS + 1] ? count : null;
  }

  isSame(other: Cells, worker: number): boolean {
    const at = worker * CELL_COUNTS;
    const counts = other.#counts;
    return this.#counts[at] === counts[at] && this.#counts[at + 1] === counts[at + 1];
  }

  take(other: Cells, worker: number): void {
    const at = worker * CELL_COUNTS;
    this.#counts[at] = other.#counts[at] as number;
    this.#counts[at + 1] = other.#counts[at + 1] as number;
  }
}

function ringStart(worker: number): number {
  return CELLS_BYTES + (worker - 1) * RING_BYTES;
}

function bytesOf(records: Uint32Array, at: number, count: number): Uint8Array {
  const { buffer, byteOffset } = records;
  return new Uint8Array(buffer, byteOffset + at * RECORD_BYTES, count * RECORD_BYTES);
}

/** The one or two stretches of the ring that records lie in. */
function piecesOf(start: number, count: number) {
  const from = start % RING_RECORDS;
  const first = Math.min(count, RING_RECORDS - from);
  const pieces = [{ at: 0, from, count: first }];
  if (first < count) pieces.push({ at: first, from: 0, count: count - first });
  return pieces;
}
