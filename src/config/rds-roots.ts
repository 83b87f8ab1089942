import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** From `src/` and from `dist/` alike; see `data/README.md` for where the roots come from. */
const ROOTS = fileURLToPath(new URL('../../data/rds-roots.pem', import.meta.url));

/** Each root has its name above it, `Amazon RDS <region> Root CA …`. */
const NAMED_ROOT =
  /^# Amazon RDS ([a-z0-9-]+) [^\n]*\n-----BEGIN[\s\S]*?-----END CERTIFICATE-----\n/gm;

let byRegion: Promise<ReadonlyMap<string, string>> | null = null;

async function readRoots(): Promise<ReadonlyMap<string, string>> {
  const regions = new Map<string, string>();
  for (const [block, region = ''] of (await readFile(ROOTS, 'utf8')).matchAll(NAMED_ROOT)) {
    regions.set(region, (regions.get(region) ?? '') + block);
  }
  return regions;
}

/**
 * The PEM text of the roots that sign the certificates of RDS and Aurora in one region, or null
 * when none are shipped for it. Another region's are not trusted: they have nothing to sign there.
 */
export async function rdsRootsOf(region: string): Promise<string | null> {
  byRegion ??= readRoots();
  return (await byRegion).get(region) ?? null;
}
