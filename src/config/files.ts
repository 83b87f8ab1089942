/** Reads what the configuration points to: secrets by reference, and PEM files. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ConfigPath, ProblemList } from './problems.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A token or password; IAM tokens, the longest in use, stay below 2 KiB. */
const SECRET_BYTES_MAX = 64 * 1024;
/** The largest public bundle of certificate authorities is about 250 KiB. */
const PEM_BYTES_MAX = 4 * 1024 * 1024;

const GROUP_OR_WORLD_READABLE = 0o044;

export type FileText = {
  readonly text: string;
  /** Whether others than the owner may read the file. */
  readonly isExposed: boolean;
};

/** Reads a whole file as UTF-8. Throws the system's error, or a RangeError above `bytesMax`. */
export async function readText(path: string, bytesMax: number): Promise<FileText> {
  const handle = await open(path, 'r');
  try {
    const { mode, size } = await handle.stat();
    if (size > bytesMax) throw new RangeError(`it is larger than ${bytesMax} bytes`);
    const text = await handle.readFile('utf8');
    return { text, isExposed: (mode & GROUP_OR_WORLD_READABLE) !== 0 };
  } finally {
    await handle.close();
  }
}

/** Why a file could not be read, without the path and in a few words. */
export function readFailure(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission is denied';
  if (code === 'EISDIR') return 'it is a directory';
  return code === '' ? 'reading fails' : `reading fails with ${code}`;
}

/** A file that was read, and the SHA-256 of what it held then, in hexadecimal. */
export type ReadFile = { readonly path: string; readonly hash: string };

/** The outside world of one configuration file; failures go to its list of problems. */
export class ConfigFiles {
  readonly #read = new Map<string, string>();
  readonly #directory: string;
  readonly #env: Environment;
  readonly #problems: ProblemList;

  constructor(directory: string, env: Environment, problems: ProblemList) {
    this.#directory = directory;
    this.#env = env;
    this.#problems = problems;
  }

  /** What was read, so that changes can be noticed. */
  get read(): readonly ReadFile[] {
    return [...this.#read].map(([path, hash]) => ({ path, hash }));
  }

  /** A path of the file, from where this process stands. */
  place(name: string): string {
    return resolve(this.#directory, name);
  }

  /** The secret that a literal, `env:NAME` or `file:PATH` stands for; null after a problem. */
  async secret(value: string | undefined, path: ConfigPath): Promise<string | null> {
    if (value === undefined) return null;
    if (value.startsWith('env:')) return this.#fromEnvironment(value.slice(4), path);
    if (value.startsWith('file:')) return this.#fromFile(value.slice(5), path);
    return value;
  }

  #fromEnvironment(name: string, path: ConfigPath): string | null {
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      this.#problems.add(path, '`env:` is not followed by the name of a variable');
      return null;
    }
    const value = this.#env[name];
    if (value !== undefined && value !== '') return value;
    this.#problems.add(path, `the environment variable ${name} is not set`, 'set it');
    return null;
  }

  async #fromFile(name: string, path: ConfigPath): Promise<string | null> {
    const file = await this.#take(name, SECRET_BYTES_MAX, path);
    if (file === null) return null;
    if (file.isExposed) {
      this.#problems.warn(path, `others can read the secret in ${name}`, `chmod 600 ${name}`);
    }
    const secret = file.text.replace(/\r?\n$/, '');
    if (secret !== '' && !/\p{Cc}/u.test(secret)) return secret;
    const what = secret === '' ? 'is empty' : 'holds more than one line';
    this.#problems.add(path, `the file ${name} ${what}`, 'put the secret alone into it');
    return null;
  }

  /** The text of a PEM file; null when none is named, or after a problem. */
  async pem(name: string | undefined, path: ConfigPath): Promise<string | null> {
    if (name === undefined) return null;
    const file = await this.#take(name, PEM_BYTES_MAX, path);
    if (file === null) return null;
    if (!file.text.includes('-----BEGIN ')) {
      this.#problems.add(path, `${name} is not a PEM file`, 'convert it with openssl');
      return null;
    }
    if (file.isExposed && file.text.includes('PRIVATE KEY-----')) {
      this.#problems.warn(path, `others can read the private key ${name}`, `chmod 600 ${name}`);
    }
    return file.text;
  }

  async #take(name: string, bytesMax: number, path: ConfigPath): Promise<FileText | null> {
    try {
      const place = resolve(this.#directory, name);
      const file = await readText(place, bytesMax);
      this.#read.set(place, createHash('sha256').update(file.text).digest('hex'));
      return file;
    } catch (error) {
      this.#problems.add(path, `cannot read ${name}: ${readFailure(error)}`);
      return null;
    }
  }
}
