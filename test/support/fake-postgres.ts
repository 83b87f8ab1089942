/** As much of a PostgreSQL server as links need, whose answers a test decides. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { MessageWriter } from '../../src/base/bytes.ts';
import { encodeErrorResponse } from '../../src/protocol/error-response.ts';
import { encodeResult, TEXT } from '../../src/protocol/result.ts';
import { encodeBackendKeyData, encodeReadyForQuery } from './server-messages.ts';

/** Rows of one text column, or an SQLSTATE. */
export type FakeAnswer = readonly string[][] | { readonly sqlstate: string };

const READY = encodeReadyForQuery(0x49);
const AUTHENTICATION_OK = Uint8Array.of(0x52, 0, 0, 0, 8, 0, 0, 0, 0);

export class FakePostgres {
  readonly #server: Server;
  readonly #sockets = new Map<Socket, string>();
  #processIds = 1_000;
  /** Role and text of every query, in order. */
  readonly asked: { readonly role: string; readonly text: string }[] = [];
  /** Roles that were let in, in order. */
  readonly logins: string[] = [];
  /** An SQLSTATE that logins are refused with. */
  refusal: string | null = null;
  inRecovery = false;
  timeline = 1;
  /** Whether it has the functions that tell it. */
  knowsRecovery = true;
  /** Accepts connections and says nothing. */
  isSilent = false;
  answer: (text: string) => FakeAnswer | Promise<FakeAnswer> = () => [];

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(): Promise<FakePostgres> {
    const fake = new FakePostgres();
    fake.#server.listen(0, '127.0.0.1');
    await once(fake.#server, 'listening');
    return fake;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return `postgres://owner@127.0.0.1:${address.port}/postgres?sslmode=disable`;
  }

  /** The roles of the connections that are open. */
  get open(): readonly string[] {
    return [...this.#sockets.values()].filter((role) => role !== '');
  }

  /** Ends every connection without a word. */
  drop(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  async stop(): Promise<void> {
    this.drop();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.set(socket, '');
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let pending = Buffer.alloc(0);
    let isBusy = false;
    const work = async (): Promise<void> => {
      if (isBusy) return;
      isBusy = true;
      for (;;) {
        const head = this.#sockets.get(socket) === '' ? 0 : 1;
        if (this.isSilent || pending.length < head + 4) break;
        const size = head + pending.readUInt32BE(head);
        if (pending.length < size) break;
        const message = pending.subarray(0, size);
        pending = pending.subarray(size);
        if (head === 0) this.#login(socket, message);
        else await this.#message(socket, message);
      }
      isBusy = false;
    };
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      void work();
    });
  }

  #login(socket: Socket, startup: Buffer): void {
    const texts = startup.toString('utf8', 8).split('\0');
    const role = texts[texts.indexOf('user') + 1] ?? '';
    if (this.refusal !== null) {
      socket.end(encodeErrorResponse(failure('FATAL', this.refusal)));
      return;
    }
    this.#sockets.set(socket, role);
    this.logins.push(role);
    const key = encodeBackendKeyData(this.#processIds++, Buffer.alloc(4));
    socket.write(Buffer.concat([AUTHENTICATION_OK, key, READY]));
  }

  async #message(socket: Socket, message: Buffer): Promise<void> {
    if (message[0] === 0x58) {
      socket.end();
      return;
    }
    if (message[0] !== 0x51) return;
    const text = message.toString('utf8', 5, message.length - 1);
    const role = this.#sockets.get(socket) ?? '';
    this.asked.push({ role, text });
    const answer = this.#ofItself(text) ?? (await this.answer(text));
    if ('sqlstate' in answer) {
      socket.write(Buffer.concat([encodeErrorResponse(failure('ERROR', answer.sqlstate)), READY]));
      return;
    }
    const columns = (answer[0] ?? []).map((_, at) => ({ name: `c${at}`, type: TEXT }));
    const tag = new MessageWriter().begin(0x43).cstring('SET').end().take();
    socket.write(Buffer.concat([columns.length > 0 ? encodeResult(columns, answer) : tag, READY]));
  }

  #ofItself(text: string): FakeAnswer | null {
    if (!text.includes('pg_is_in_recovery')) return null;
    if (!this.knowsRecovery) return { sqlstate: '42883' };
    const file = this.timeline.toString(16).padStart(8, '0').padEnd(24, '0');
    return [this.inRecovery ? ['t', ''] : ['f', file]];
  }
}

const failure = (severity: string, sqlstate: string) => ({
  severity,
  sqlstate,
  message: 'as the test says',
  detail: '',
  hint: '',
});
