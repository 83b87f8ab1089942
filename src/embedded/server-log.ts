import { constants, copyFile, type FileHandle, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { tailOf } from './failure.ts';

const logName = 'postgres.log';
/** A log that has grown past this is set aside, in place of the one set aside before. */
export const logBytesMax = 10 * 1024 * 1024;
const checkIntervalMs = 60_000;
/** How much of the end of the log an error is cut from. */
const tailBytesMax = 16 * 1024;

/**
 * The file the server writes to. It is opened here and handed down, so the server's user needs no
 * right to it; it may hold what users put into statements, and only this user can read it.
 */
export class ServerLog {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #timer: NodeJS.Timeout;
  /** Where the words of the present attempt begin. */
  #mark = 0;

  constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
    this.#timer = setInterval(() => {
      // The server goes on when its log cannot be set aside; the next round tries again.
      void this.trim().catch(() => {});
    }, checkIntervalMs).unref();
  }

  /** For `stdio` of the server. */
  get fd(): number {
    return this.#file.fd;
  }

  /** Sets the log aside when it is too long. What the server writes meanwhile may be lost. */
  async trim(): Promise<void> {
    if ((await this.#file.stat()).size <= logBytesMax) return;
    const aside = `${this.path}.1`;
    await rm(aside, { force: true });
    await copyFile(this.path, aside, constants.COPYFILE_EXCL);
    // The server appends, so its next line lands at the new end.
    await truncate(this.path, 0);
    this.#mark = 0;
  }

  /** From here on is what {@link tail} tells of. */
  async mark(): Promise<void> {
    this.#mark = (await this.#file.stat()).size;
  }

  /** The last words of the server since the mark, without the given secrets. */
  async tail(secrets: readonly string[]): Promise<string> {
    const { size } = await this.#file.stat();
    const start = Math.max(this.#mark, size - tailBytesMax, 0);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, start);
    return tailOf(bytes.subarray(0, bytesRead).toString(), secrets);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#file.close();
  }
}

/** Opens the log in `dir`, for appending. */
export async function openServerLog(dir: string): Promise<ServerLog> {
  const path = join(dir, logName);
  // Root may be working in a directory of somebody who could have put a link there.
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o600);
  await file.chmod(0o600);
  const log = new ServerLog(path, file);
  await log.trim();
  return log;
}
