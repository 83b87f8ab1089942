/** What a reader of figures wants to know of the machine that they are from. */
import { arch, cpus, release, totalmem } from 'node:os';

const MIB = 1_048_576;

export function machine() {
  const [first] = cpus();
  return {
    processors: cpus().length,
    processor: first?.model ?? 'unknown',
    memoryMiB: Math.round(totalmem() / MIB),
    system: `${process.platform} ${release()} ${arch()}`,
    node: process.version,
  };
}
