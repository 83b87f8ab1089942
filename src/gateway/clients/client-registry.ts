import { timingSafeEqual } from 'node:crypto';
import type { Random } from '../../base/time.ts';
import type { ClientConnection, ClientIdentity } from './client-connection.ts';

/** Protocols 3.0 and 3.1 have room for four bytes. */
const SECRET_KEY_BYTES_SHORT = 4;
/** From 3.2 on PostgreSQL gives 32. */
const SECRET_KEY_BYTES_LONG = 32;

/** A process ID has so many bits; those of a worker's clients begin with the worker's number. */
const PROCESS_ID_BITS = 31;
const WORKER_NUMBER_BITS = 7;
const OWN_BITS = PROCESS_ID_BITS - WORKER_NUMBER_BITS;

/** The greatest number that a worker can have; the smallest is 1. */
export const WORKER_NUMBER_MAX = 2 ** WORKER_NUMBER_BITS - 1;

/** The worker whose client was told this process ID. */
export function workerNumberOf(processId: number): number {
  return processId >>> OWN_BITS;
}

/** All clients of this process by the process ID that they were told. */
export class ClientRegistry {
  readonly #random: Random;
  readonly #workerNumber: number | null;
  readonly #clients = new Map<number, ClientConnection>();

  /** @param workerNumber null when there is but this process */
  constructor(random: Random, workerNumber: number | null = null) {
    this.#random = random;
    this.#workerNumber = workerNumber;
  }

  get size(): number {
    return this.#clients.size;
  }

  /**
   * An identity that no client of any worker has.
   * @param minor of the protocol version that the client speaks
   */
  newIdentity(user: string, minor: number): ClientIdentity {
    const size = minor >= 2 ? SECRET_KEY_BYTES_LONG : SECRET_KEY_BYTES_SHORT;
    for (;;) {
      const processId = this.#processIdOf(Buffer.from(this.#random.bytes(4)).readUInt32BE());
      if (processId === 0 || this.#clients.has(processId)) continue;
      return { processId, secretKey: Buffer.from(this.#random.bytes(size)), user };
    }
  }

  #processIdOf(bits: number): number {
    if (this.#workerNumber === null) return bits & 0x7fffffff;
    return (this.#workerNumber << OWN_BITS) | (bits >>> (32 - OWN_BITS));
  }

  add(client: ClientConnection): void {
    this.#clients.set(client.identity.processId, client);
  }

  delete(client: ClientConnection): void {
    this.#clients.delete(client.identity.processId);
  }

  /** The client that was given this very key, or null; a guess learns nothing from the time. */
  find(processId: number, secretKey: Uint8Array): ClientConnection | null {
    const client = this.#clients.get(processId);
    if (client === undefined) return null;
    const { secretKey: own } = client.identity;
    return own.length === secretKey.length && timingSafeEqual(own, secretKey) ? client : null;
  }

  all(): ClientConnection[] {
    return [...this.#clients.values()];
  }
}
