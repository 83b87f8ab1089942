import { timingSafeEqual } from 'node:crypto';
import type { Random } from '../base/time.ts';
import type { ClientConnection, ClientIdentity } from './client-connection.ts';

/** Protocol 3.0 has room for four bytes. */
const SECRET_KEY_BYTES = 4;

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

  /** An identity that no client of this process has. */
  newIdentity(user: string): ClientIdentity {
    for (;;) {
      const processId = Buffer.from(this.#random.bytes(4)).readUInt32BE() & 0x7fffffff;
      if (processId === 0 || this.#clients.has(processId)) continue;
      return { processId, secretKey: Buffer.from(this.#random.bytes(SECRET_KEY_BYTES)), user };
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
    if (client === undefined || secretKey.length !== SECRET_KEY_BYTES) return null;
    return timingSafeEqual(client.identity.secretKey, secretKey) ? client : null;
  }

  all(): ClientConnection[] {
    return [...this.#clients.values()];
  }
}
