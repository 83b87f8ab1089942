/** Where the master keys of the store come from: a text of the environment, or a file. */
import { open, readFile, stat } from 'node:fs/promises';
import { GatewayError } from '../base/errors.ts';
import type { Random } from '../base/time.ts';
import { KEY_SIZE } from './envelope-format.ts';

export type KeyFile = {
  readonly keys: MasterKeys;
  /** There was none. */
  readonly isFresh: boolean;
};

/** The current key and those it replaced. */
export type MasterKeys = readonly [Uint8Array, ...Uint8Array[]];

const KEYS_MAX = 16;
const FILE_BYTES_MAX = 4_096;
const OTHERS_MAY = 0o077;

function parseKey(line: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(line)) return Buffer.from(line, 'hex');
  if (!/^[\w+/-]{43}=?$/.test(line)) return null;
  const key = Buffer.from(line, 'base64');
  return key.length === KEY_SIZE ? key : null;
}

/**
 * Reads one key a line: 32 bytes in base64 or hexadecimal, the current one first, then those it
 * replaced. Empty lines and lines with `#` are passed over.
 *
 * @throws GatewayError `MR_STORE_KEY`, without a byte of the text
 */
export function parseMasterKeys(text: string): MasterKeys {
  const lines = text
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const keys = lines.map(parseKey).filter((key) => key !== null);
  const [first, ...rest] = keys;
  if (first === undefined || keys.length !== lines.length || lines.length > KEYS_MAX) {
    const form = '32 bytes in base64 or hexadecimal';
    const subject = `a master key must be ${form}, 1 to ${KEYS_MAX} of them`;
    throw new GatewayError('MR_STORE_KEY', { subject });
  }
  return [first, ...rest];
}

/**
 * Reads the file, or makes it with a fresh key when there is none.
 * @throws GatewayError `MR_STORE_KEY` when others may read it, or it holds no key;
 *   `MR_FILE_UNREADABLE`
 */
export async function openKeyFile(path: string, random: Random): Promise<KeyFile> {
  try {
    const { mode, size } = await stat(path);
    if ((mode & OTHERS_MAY) !== 0) {
      const subject = `others can read or change the key file ${path}; chmod 600 it`;
      throw new GatewayError('MR_STORE_KEY', { subject });
    }
    if (size > FILE_BYTES_MAX) {
      throw new GatewayError('MR_STORE_KEY', { subject: `${path} is no key file` });
    }
    return { keys: parseMasterKeys(await readFile(path, 'utf8')), isFresh: false };
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
      return { keys: await makeKeyFile(path, random), isFresh: true };
    }
    throw new GatewayError('MR_FILE_UNREADABLE', { subject: path, cause });
  }
}

async function makeKeyFile(path: string, random: Random): Promise<MasterKeys> {
  const key = Buffer.from(random.bytes(KEY_SIZE));
  try {
    const handle = await open(path, 'wx', 0o600);
    try {
      await handle.writeFile(`${key.toString('base64')}\n`);
      // Without this key the store is lost: it has to be on the disk before anything is sealed.
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw new GatewayError('MR_FILE_UNREADABLE', {
      subject: `or make the key file ${path}`,
      cause,
    });
  }
  return [key];
}
