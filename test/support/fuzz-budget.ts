/** How long the fuzzers and soaks run, and where they begin. */
import { randomInt } from 'node:crypto';

/** Every fuzzer and soak runs for so long: `MILLRACE_FUZZ_SECONDS`. */
export const FUZZ_MS = Number(process.env['MILLRACE_FUZZ_SECONDS'] ?? 12) * 1_000;

/** With time to come to rest afterwards. */
export const FUZZ_TEST_TIMEOUT_MS = FUZZ_MS + 60_000;

/** The seed of the variable, which replays a run as far as timing lets it, or a new one. */
export function fuzzSeed(variable: string): number {
  return Number(process.env[variable] ?? randomInt(1_000_000_000));
}
