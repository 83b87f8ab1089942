/**
 * Loaded into a program under test: tells through the channel to its parent how many bytes it holds
 * when nothing is left to collect. Resident memory would tell what the collector has not done yet.
 */
import { setImmediate } from 'node:timers/promises';

process.on('message', async () => {
  // Buffers are given back some time after the collection that found them to be garbage.
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  process.send(heapUsed + external);
});
process.channel.unref();
