/** Places for keys, each of four bytes; a key is forgotten when another one takes its place. */
const PLACES = 1 << 15;

/** Which keys were asked for lately, by their hashes: a few of them are taken for others. */
export class RecentKeys {
  /** Zero where there was none. */
  readonly #hashes = new Uint32Array(PLACES);

  /** Whether it was there; it is from now on. */
  note(key: string): boolean {
    const hash = hashOf(key) | 1;
    // The lowest bit is the same for all.
    const place = (hash >>> 1) & (PLACES - 1);
    const isKnown = this.#hashes[place] === hash >>> 0;
    this.#hashes[place] = hash;
    return isKnown;
  }
}

/** FNV-1a over the bytes of a byte string, with its high bits brought down. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}
