/** Tells when the content of one file changes, however it is replaced. */
import { createHash } from 'node:crypto';
import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Several events belong to one save; the file is read this long after the first of them. */
const SETTLE_MS = 200;

export type WatchOptions = {
  /** The SHA-256 of the content, in hexadecimal, that is known already; else that at the call. */
  readonly known?: string;
  readonly onChange: () => void;
  /** Watching ended by an error of the system; changes go unseen from then on. */
  readonly onError: (error: unknown) => void;
};

async function contentHash(path: string): Promise<string | null> {
  try {
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch {
    // In the middle of a replacement there is no file; another event follows.
    return null;
  }
}

/**
 * Watches the directory, because editors and mounted secrets replace the file or a link to it, and
 * compares content, because most events in a directory mean nothing. The content at the call, or
 * the one known before, is what changes are told against. A change during a read is seen: the next
 * event starts a new wait.
 */
export async function watchFile(
  path: string,
  { known: before, onChange, onError }: WatchOptions,
): Promise<{ close(): void }> {
  const file = resolve(path);
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;
  let known: string | null = before ?? null;
  const compare = async () => {
    timer = null;
    const hash = await contentHash(file);
    if (isClosed || hash === null || hash === known) return;
    known = hash;
    onChange();
  };
  const watcher = watch(dirname(file), () => {
    // Not restarted by later events: a busy directory would put it off for ever.
    timer ??= setTimeout(compare, SETTLE_MS);
  });
  watcher.on('error', onError);
  if (before === undefined) known = await contentHash(file);
  else timer ??= setTimeout(compare, SETTLE_MS);
  return {
    close: () => {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      watcher.close();
    },
  };
}
