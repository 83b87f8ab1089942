import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameHandler, Framer, PREFIX_BYTES, Take } from '../../src/protocol/framer.ts';

/** What becomes of a message is its code, so that a stream says itself what is to happen. */
const takes: readonly Take[] = [Take.Forward, Take.Swallow, Take.Hold, Take.HoldPrefix];

/** Writes down everything that the framer does, with runs joined and prefixes counted as runs. */
class Recorder implements FrameHandler {
  readonly seen: string[] = [];
  passed = Buffer.alloc(0);
  /** Answers Stop to every so many-th message that it is offered, once. */
  readonly #stopEvery: number;
  #offers = 0;

  constructor(stopEvery = 0) {
    this.#stopEvery = stopEvery;
  }

  #stops(): boolean {
    this.#offers++;
    return this.#stopEvery > 0 && this.#offers % this.#stopEvery === 0;
  }

  onHeader(code: number): Take {
    return takes[code % 4] as Take;
  }

  onWhole(code: number, chunk: Uint8Array, start: number, end: number): Take {
    if (this.#stops()) return Take.Stop;
    this.seen.push(`${code}:${Buffer.from(chunk.subarray(start, end)).toString('hex')}`);
    return code % 8 < 4 ? Take.Forward : Take.Swallow;
  }

  onPrefix(code: number, size: number, chunk: Uint8Array, start: number, end: number): Take {
    if (this.#stops()) return Take.Stop;
    // Of the longer ones, one in two turns out to be needed as a whole.
    if (size > end - start && code % 16 >= 8) return Take.Hold;
    this.seen.push(`${code}:prefix ${end - start} of ${size}`);
    this.onRun(chunk, start, end);
    return code % 8 < 4 ? Take.Forward : Take.Swallow;
  }

  onRun(chunk: Uint8Array, start: number, end: number): void {
    this.passed = Buffer.concat([this.passed, chunk.subarray(start, end)]);
  }
}

const message = fc
  .tuple(
    fc.integer({ min: 0, max: 255 }),
    fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 40 }) },
      { weight: 2, arbitrary: fc.integer({ min: PREFIX_BYTES - 10, max: PREFIX_BYTES + 3000 }) },
    ),
  )
  .map(([code, size]) => {
    const bytes = Buffer.alloc(5 + size, code ^ 0x5a);
    bytes[0] = code;
    bytes.writeUInt32BE(4 + size, 1);
    return bytes;
  });

const stream = fc.array(message, { maxLength: 12 }).map((messages) => Buffer.concat(messages));

function read(bytes: Buffer, cuts: readonly number[], stopEvery: number): Recorder {
  const recorder = new Recorder(stopEvery);
  const framer = new Framer(recorder);
  let at = 0;
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  for (const end of ends) {
    // What was not read is fed again, together with nothing new, until nothing more comes of it.
    for (let tries = 0, idle = 0; tries < 1_000 && idle < 6; tries++) {
      const chunk = Buffer.from(bytes.subarray(at, end));
      at += framer.feed(chunk, 0, chunk.length);
      idle = at === end ? idle + 1 : 0;
    }
  }
  return recorder;
}

describe('Framer', () => {
  it('does the same however a stream is cut, and however often it is stopped', () => {
    fc.assert(
      fc.property(
        stream,
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.integer({ min: 2, max: 5 }),
        (bytes, cuts, stopEvery) => {
          const whole = read(bytes, [], 0);
          for (const other of [read(bytes, cuts, 0), read(bytes, cuts, stopEvery)]) {
            expect(other.seen).toEqual(whole.seen);
            expect(other.passed.equals(whole.passed)).toBe(true);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('passes everything on byte for byte when every byte comes alone', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 4 }), (messages) => {
        const small = messages.filter((one) => one.length < 100);
        const bytes = Buffer.concat(small);
        const cuts = Array.from(bytes.keys());
        expect(read(bytes, cuts, 0).passed).toEqual(read(bytes, [], 0).passed);
      }),
      { numRuns: 50 },
    );
  });

  it('passes a run of forwarded messages on in one piece', () => {
    const runs: number[] = [];
    const framer = new Framer({
      onHeader: () => Take.Forward,
      onWhole: () => Take.Forward,
      onPrefix: () => Take.Forward,
      onRun: (_chunk, start, end) => runs.push(end - start),
    });
    const row = Buffer.from([0x44, 0, 0, 0, 6, 0, 0]);
    const chunk = Buffer.concat([row, row, row, row.subarray(0, 6)]);
    framer.feed(chunk, 0, chunk.length);
    expect(runs).toEqual([chunk.length]);
    expect(framer.isInsideForward).toBe(true);
  });
});
