import { timingSafeEqual } from 'node:crypto';
import type { Random } from '../../base/time.ts';
import type { ClientConnection, ClientIdentity } from './client-connection.ts';

/** Protocols 3.0 and 3.1 have room for four bytes. */
const SECRET_KEY_BYTES_SHORT = 4;
/** From 3.2 on PostgreSQL gives 32. */
const SECRET_KEY_BYTES_LONG = 32;

/** All clients of this process by the process ID that they were told. */
export class ClientRegistry {
  readonly #random: Random;
  readonly #clients = new Map<number, ClientConnection>();

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#clients.size;
  }

  /**
   * An identity that no client of this process has.
   * @param minor of the protocol version that the client speaks
   */
  newIdentity(user: string, minor: number): ClientIdentity {
    const size = minor >= 2 ? SECRET_KEY_BYTES_LONG : SECRET_KEY_BYTES_SHORT;
    for (;;) {
      const processId = Buffer.from(this.#random.bytes(4)).readUInt32BE() & 0x7fffffff;
      if (processId === 0 || this.#clients.has(processId)) continue;
      return { processId, secretKey: Buffer.from(this.#random.bytes(size)), user };
    }
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
