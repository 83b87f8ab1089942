/** The name of the place where embedded servers of clusters keep their data. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GatewayError } from '../../base/errors.ts';
import type { Random } from '../../base/time.ts';
import { openDataDir } from '../../embedded/cluster-home.ts';

const FILE = 'home.txt';
const NAME_SIZE = 12;

const freshName = (random: Random): string => Buffer.from(random.bytes(NAME_SIZE)).toString('hex');

/**
 * Read from the directory, or made with it: a store may serve gateways on several machines, and
 * only one of them has the data of a cluster.
 *
 * @param dir null for data that ends with this program
 * @throws GatewayError `MR_EMBEDDED_FAILED` when the directory cannot be made
 */
export async function homeName(dir: string | null, random: Random): Promise<string> {
  if (dir === null) return freshName(random);
  const file = join(await openDataDir(dir), FILE);
  const read = async () => (await readFile(file, 'utf8').catch(() => '')).trim();
  const known = await read();
  if (/^[0-9a-f]{24}$/.test(known)) return known;
  // Of two programs that begin at once the first one names it.
  const flag = known === '' ? 'wx' : 'w';
  await writeFile(file, `${freshName(random)}\n`, { flag }).catch(() => {});
  const name = await read();
  if (name !== '') return name;
  throw new GatewayError('MR_EMBEDDED_FAILED', { subject: `${file} cannot be written` });
}
