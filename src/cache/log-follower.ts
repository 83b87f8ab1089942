import { BATCH_SHARE, KEPT_SHARE, Kind, type LogStore, RECORD_WORDS, Word } from './write-log.ts';

/** A reader that was overtaken so often in a row stands still itself. */
const ATTEMPTS_MAX = 100;

/** What is told of one worker's writes, in the order in which they were announced. */
export type LogListener = {
  /** @param relation an OID, or {@link ALL_RELATIONS} */
  onFence(fence: number, origin: number, processId: number, relation: number): void;
  /** What is fenced may change the catalogue at any moment. */
  onChanging(fence: number, origin: number): void;
  /** It may be of a fence that was never told of. */
  onLift(fence: number, origin: number, changesCatalogue: boolean): void;
  /** Nothing of it stands any more. */
  onRestart(): void;
  /** Something was missed, whatever it was. What stands is told again. */
  onGap(): void;
};

/** The reader's side of a {@link WriteLog}: at any time, and from any time on. */
export class LogFollower {
  readonly #store: LogStore;
  readonly #listener: LogListener;
  /** Records that were told of, or missed. */
  #cursor = 0;

  constructor(store: LogStore, listener: LogListener) {
    this.#store = store;
    this.#listener = listener;
  }

  /** Tells of what is new. @param announced how many records there are, at least */
  catchUp(announced: number): void {
    const { capacity } = this.#store;
    let end = announced;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (end <= this.#cursor) return;
      const isGap = end - this.#cursor > capacity * KEPT_SHARE;
      const start = isGap ? end - capacity * KEPT_SHARE : this.#cursor;
      const records = this.#store.read(start, end);
      const latest = this.#store.count();
      // The writer may have begun to write over what was being read.
      if (latest + capacity * BATCH_SHARE - start <= capacity) {
        this.#cursor = end;
        if (isGap) this.#listener.onGap();
        this.#tell(records);
        return;
      }
      end = latest;
    }
    throw new Error('a log of writes grows faster than it can be read');
  }

  #tell(records: Uint32Array): void {
    for (let at = 0; at < records.length; at += RECORD_WORDS) {
      const fence = records[at + Word.Fence] as number;
      const origin = records[at + Word.Origin] as number;
      const kind = records[at + Word.Kind];
      if (kind === Kind.Fence) {
        const processId = records[at + Word.ProcessId] as number;
        this.#listener.onFence(fence, origin, processId, records[at + Word.Relation] as number);
      } else if (kind === Kind.Changing) this.#listener.onChanging(fence, origin);
      else if (kind === Kind.Restart) this.#listener.onRestart();
      else this.#listener.onLift(fence, origin, kind === Kind.LiftCatalogue);
    }
  }
}
