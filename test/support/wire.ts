/**
 * A PostgreSQL client that is all hands: it sends what it is given in whatever pieces, and shows
 * every message that comes, in order. Every wait has a time limit.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ScramClient } from '../../src/auth/scram-client.ts';
import { deriveSaltedPassword } from '../../src/origin/login-derive.ts';
import * as wire from './wire-messages.ts';

/** A message of the server. */
export type Reply = { readonly code: string; readonly body: Buffer };

export type WireTarget = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

const WAIT_MS = 10_000;
const PROTOCOL_3_0 = 196_608;

export class WireClient {
  readonly socket: Socket;
  readonly target: WireTarget;
  /** What the server said at login. */
  readonly parameters = new Map<string, string>();
  processId = 0;
  secretKey: Buffer = Buffer.alloc(0);
  /** The body of NegotiateProtocolVersion, when there was one. */
  negotiated: Buffer | null = null;
  #buffer: Buffer = Buffer.alloc(0);
  #replies: Reply[] = [];
  #isEnded = false;
  #wake: (() => void) | null = null;
  #consume: ((chunk: Buffer) => void) | null = null;

  constructor(socket: Socket, target: WireTarget) {
    this.socket = socket;
    this.target = target;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('error', () => {});
    const onEnd = () => {
      this.#isEnded = true;
      this.#wake?.();
    };
    socket.on('end', onEnd);
    socket.on('close', onEnd);
  }

  /** Connects without a word. */
  static async dial(target: WireTarget): Promise<WireClient> {
    const socket = connect({ host: target.host, port: target.port, allowHalfOpen: true });
    await once(socket, 'connect');
    return new WireClient(socket, target);
  }

  /** Connects and logs in. */
  static async connect(
    target: WireTarget,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<WireClient> {
    const client = await WireClient.dial(target);
    await client.logIn(settings);
    return client;
  }

  async logIn(
    settings: Readonly<Record<string, string>> = {},
    version = PROTOCOL_3_0,
  ): Promise<void> {
    const { user, database } = this.target;
    this.send(wire.startup({ user, database, ...settings }, version));
    await this.#authenticate();
    for (;;) {
      const { code, body } = await this.read();
      if (code === 'Z') return;
      if (code === 'S') {
        const [name, value] = body.toString().split('\0');
        this.parameters.set(name as string, value as string);
      } else if (code === 'K') {
        this.processId = body.readInt32BE(0);
        this.secretKey = Buffer.from(body.subarray(4));
      } else if (code === 'E') throw loginRefused(body);
    }
  }

  async #authenticate(): Promise<void> {
    const scram = new ScramClient('a test that does not need to be secret'.replaceAll(' ', ''));
    for (;;) {
      const { code, body } = await this.read();
      if (code === 'E') throw loginRefused(body);
      if (code === 'v') {
        this.negotiated = body;
        continue;
      }
      const kind = body.readInt32BE(0);
      if (code !== 'R' || kind === 0) return;
      if (kind === 10) {
        const first = scram.clientFirst();
        const size = Buffer.alloc(4);
        size.writeInt32BE(first.length);
        this.send(wire.message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), size, first])));
      } else if (kind === 11) {
        const { salt, iterations } = scram.onServerFirst(body.subarray(4));
        const salted = await deriveSaltedPassword(this.target.password, salt, iterations);
        this.send(wire.message('p', scram.clientFinal(salted)));
      } else if (kind === 12) {
        if (!scram.onServerFinal(body.subarray(4))) throw new Error('the server is an impostor');
      } else throw new Error(`authentication request ${kind}`);
    }
  }

  /** Sends everything in one write. */
  send(...messages: readonly Uint8Array[]): void {
    this.socket.write(
      messages.length === 1 ? (messages[0] as Uint8Array) : Buffer.concat(messages),
    );
  }

  /** Sends in pieces of the given sizes, over and over, each in a turn of its own. */
  async dribble(bytes: Uint8Array, sizes: readonly number[]): Promise<void> {
    let turn = 0;
    for (let at = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length] as number;
      this.socket.write(bytes.subarray(at, at + size));
      at += size;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The next message; fails when the connection ends first. */
  async read(withinMs = WAIT_MS): Promise<Reply> {
    const reply = await this.readOrEnd(withinMs);
    if (reply === null) throw new Error('the connection has ended');
    return reply;
  }

  /** The next message, or null when the connection has ended. */
  async readOrEnd(withinMs = WAIT_MS): Promise<Reply | null> {
    const untilMs = Date.now() + withinMs;
    while (this.#replies.length === 0) {
      if (this.#isEnded) return null;
      const leftMs = untilMs - Date.now();
      if (leftMs <= 0) throw new Error(`no message within ${withinMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = null;
    }
    return this.#replies.shift() as Reply;
  }

  /** Messages up to and with the `count`th ReadyForQuery. */
  async readReady(count = 1, withinMs = WAIT_MS): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (let seen = 0; seen < count; ) {
      const reply = await this.readOrEnd(withinMs);
      if (reply === null) throw ended(replies.at(-1));
      replies.push(reply);
      if (reply.code === 'Z') seen++;
    }
    return replies;
  }

  /** What is left until the server ends the connection. */
  async readToEnd(withinMs = WAIT_MS): Promise<Reply[]> {
    const replies: Reply[] = [];
    for (;;) {
      const reply = await this.readOrEnd(withinMs);
      if (reply === null) return replies;
      replies.push(reply);
    }
  }

  /** Sends a simple Query, and reads its answer. */
  async ask(sql: string, withinMs = WAIT_MS): Promise<Reply[]> {
    this.send(wire.query(sql));
    return this.readReady(1, withinMs);
  }

  /** Sends messages of the extended protocol as one unit, with its Sync, and reads its answer. */
  async unit(...messages: Buffer[]): Promise<Reply[]> {
    this.send(...messages, wire.sync());
    return this.readReady();
  }

  /** The rows of a simple Query, as texts; fails on an error. */
  async rows(sql: string, withinMs = WAIT_MS): Promise<(string | null)[][]> {
    const replies = await this.ask(sql, withinMs);
    const error = replies.find(({ code }) => code === 'E');
    if (error !== undefined) throw new Error(errorText(error.body));
    return rowsOf(replies);
  }

  /** Asks the server to cancel what this client does; ends when that connection has ended. */
  async cancel(): Promise<void> {
    await sendCancel(this.target, this.processId, this.secretKey);
  }

  /** From now on the raw bytes go there, and messages are not read any more. */
  consume(take: (chunk: Buffer) => void): void {
    this.#consume = take;
  }

  /** Says goodbye and waits for the end. */
  async end(): Promise<void> {
    if (!this.#isEnded) this.send(wire.terminate());
    this.socket.end();
    await this.readToEnd();
    this.socket.destroy();
  }

  /** Gone without a goodbye: FIN, or RST. */
  vanish(how: 'fin' | 'rst' = 'fin'): void {
    if (how === 'rst') this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#consume !== null) {
      this.#consume(chunk);
      return;
    }
    const bytes = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    let at = 0;
    while (bytes.length - at >= 5) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      if (bytes.length < end) break;
      const code = String.fromCharCode(bytes[at] as number);
      this.#replies.push({ code, body: Buffer.from(bytes.subarray(at + 5, end)) });
      at = end;
    }
    this.#buffer = Buffer.from(bytes.subarray(at));
    if (at > 0) this.#wake?.();
  }
}

/** Sends a CancelRequest, and waits for the end of its connection. */
export async function sendCancel(
  target: Pick<WireTarget, 'host' | 'port'>,
  processId: number,
  secretKey: Uint8Array,
): Promise<void> {
  const socket = connect({ host: target.host, port: target.port });
  socket.on('error', () => {});
  socket.write(wire.cancelRequest(processId, secretKey));
  socket.resume();
  await once(socket, 'close');
}

/** Fields of an ErrorResponse or NoticeResponse by their letters. */
export function fieldsOf(body: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const field of body.toString().split('\0')) {
    if (field !== '') fields[field[0] as string] = field.slice(1);
  }
  return fields;
}

/** Why there is no more to read; the last words of a server tell, if it has said any. */
function ended(last: Reply | undefined): Error {
  const words = last?.code === 'E' ? `: ${errorText(last.body)}` : '';
  return new Error(`the connection has ended${words}`);
}

function loginRefused(body: Buffer): Error {
  return new Error(`login refused: ${errorText(body)}`, { cause: fieldsOf(body) });
}

/** SQLSTATE and message. */
export function errorText(body: Buffer): string {
  const fields = fieldsOf(body);
  return `${fields['C']} ${fields['M']}`;
}

/** The values of the DataRows among the replies, as texts. */
export function rowsOf(replies: readonly Reply[]): (string | null)[][] {
  return replies
    .filter(({ code }) => code === 'D')
    .map(({ body }) => {
      const row: (string | null)[] = [];
      let at = 2;
      for (let column = body.readInt16BE(0); column > 0; column--) {
        const size = body.readInt32BE(at);
        at += 4;
        row.push(size < 0 ? null : body.toString('utf8', at, at + size));
        at += Math.max(size, 0);
      }
      return row;
    });
}

/** The type letters of the replies, as one word. */
export const codesOf = (replies: readonly Reply[]): string =>
  replies.map(({ code }) => code).join('');

/** SQLSTATE codes of the errors among the replies. */
export const errorsOf = (replies: readonly Reply[]): string[] =>
  replies.filter(({ code }) => code === 'E').map(({ body }) => fieldsOf(body)['C'] as string);
