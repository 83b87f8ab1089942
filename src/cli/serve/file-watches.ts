/** Watches the files that a configuration names, which change from load to load. */
import type { ReadFile } from '../../config/files.ts';
import { watchFile } from './watch-file.ts';

/** Ten thousand configurations with a secret each could name more; SIGHUP reads those again. */
const FILES_MAX = 1_000;

export type FileWatchesOptions = {
  readonly onChange: (path: string) => void;
  /** A file is not watched: the system's error, or a RangeError when there are too many. */
  readonly onError: (error: unknown) => void;
};

export class FileWatches {
  readonly #options: FileWatchesOptions;
  readonly #watchers = new Map<string, { close(): void }>();
  #isClosed = false;
  #isFull = false;

  constructor(options: FileWatchesOptions) {
    this.#options = options;
  }

  /** From now on these files are watched, against what they held when they were read. */
  async follow(files: readonly ReadFile[]): Promise<void> {
    const wanted = new Set(files.map(({ path }) => path));
    for (const [path, watcher] of this.#watchers) {
      if (wanted.has(path)) continue;
      watcher.close();
      this.#watchers.delete(path);
    }
    for (const { path, hash } of files) {
      if (this.#isClosed || this.#watchers.has(path)) continue;
      if (this.#watchers.size >= FILES_MAX) {
        this.#tellFull();
        return;
      }
      await this.#watch(path, hash);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #watch(path: string, known: string): Promise<void> {
    const { onChange, onError } = this.#options;
    try {
      const watcher = await watchFile(path, { known, onChange: () => onChange(path), onError });
      if (this.#isClosed) watcher.close();
      else this.#watchers.set(path, watcher);
    } catch (error) {
      onError(error);
    }
  }

  /** Once: a reload would only repeat it. */
  #tellFull(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    this.#options.onError(new RangeError(`the configuration names more than ${FILES_MAX} files`));
  }
}
