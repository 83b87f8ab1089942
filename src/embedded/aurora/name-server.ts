/** A small DNS server over UDP, for names that move. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { AUTHORITATIVE_ANSWER, decode, encode, type StringAnswer } from 'dns-packet';

/** A record as it is answered: `A` and `AAAA` hold an address, `CNAME` another name. */
export type NameRecord = {
  readonly type: 'A' | 'AAAA' | 'CNAME';
  readonly name: string;
  readonly data: string;
  readonly ttlS: number;
};

/**
 * Everything there is about a name in lower case, the records of a CNAME's target included; null
 * for a name that does not exist.
 */
export type Zone = (name: string) => readonly NameRecord[] | null;

/** Response codes of RFC 1035, which the library takes in the low bits of the flags. */
const NAME_ERROR = 3;
const NOT_IMPLEMENTED = 4;

export class NameServer {
  /** As `dns_servers` of an origin takes it. */
  readonly address: string;
  readonly #socket: Socket;
  readonly #zone: Zone;

  private constructor(socket: Socket, zone: Zone) {
    const { address, port } = socket.address();
    this.address = `${address}:${port}`;
    this.#socket = socket;
    this.#zone = zone;
    socket.on('message', (packet, from) => this.#onMessage(packet, from));
    // What cannot be sent is as good as lost, which DNS is made for.
    socket.on('error', () => {});
  }

  /** Rejects with the system's error when it cannot listen at the address. */
  static async start(zone: Zone, address = '127.0.0.1'): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, address);
    // Rejects when `error` comes first.
    await once(socket, 'listening');
    return new NameServer(socket, zone);
  }

  async stop(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  #onMessage(packet: Buffer, from: RemoteInfo): void {
    const answer = this.#answerTo(packet);
    if (answer !== null) this.#socket.send(answer, from.port, from.address);
  }

  /** Null for what is no question. */
  #answerTo(packet: Buffer): Buffer | null {
    let question: ReturnType<typeof decode>;
    try {
      question = decode(packet);
    } catch {
      return null;
    }
    const { id = 0, type, questions = [] } = question;
    const [asked] = questions;
    if (type !== 'query' || asked === undefined) return null;
    const records = this.#zone(asked.name.toLowerCase());
    const isKnown = asked.type === 'A' || asked.type === 'AAAA' || asked.type === 'CNAME';
    const code = isKnown ? (records === null ? NAME_ERROR : 0) : NOT_IMPLEMENTED;
    const fitting = (records ?? []).filter(({ type }) => type === asked.type || type === 'CNAME');
    return encode({
      id,
      type: 'response',
      flags: AUTHORITATIVE_ANSWER | code,
      questions,
      answers: fitting.map(
        ({ type, name, data, ttlS }): StringAnswer => ({ type, name, data, ttl: ttlS }),
      ),
    });
  }
}
