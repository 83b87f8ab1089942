/** A client that costs next to nothing: what is measured is the other side. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { ScramClient } from '../../src/auth/scram-client.ts';
import { deriveSaltedPassword } from '../../src/origin/login-derive.ts';
import { ClientCode, ServerCode } from '../../src/protocol/codes.ts';
import { type Address, HOST, type Login } from '../ways/address.ts';
import { MessageReader } from './message-reader.ts';

export type Target = {
  readonly address: Address;
  readonly login: Login;
  readonly isTls: boolean;
};

const PROTOCOL_3_0 = 196_608;
const SSL_REQUEST = 80_877_103;
const NONCE_BYTES = 18;

/** Requests for authentication, by their number. */
const Auth = { Ok: 0, Sasl: 10, SaslContinue: 11, SaslFinal: 12 } as const;

type Waiter = { resolve(): void; reject(error: Error): void };

/** By salt: deriving the key is dear, and no part of what is measured. */
const saltedPasswords = new Map<string, Promise<Buffer>>();

function saltedPassword(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  const key = `${salt.toString('base64')} ${iterations}`;
  let salted = saltedPasswords.get(key);
  if (salted === undefined) {
    salted = deriveSaltedPassword(password, salt, iterations);
    saltedPasswords.set(key, salted);
  }
  return salted;
}

function message(code: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head[0] = code;
  head.writeUInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A message without a code, as at the start. */
function opening(number: number, text: string): Buffer {
  const head = Buffer.alloc(8);
  const body = Buffer.from(text);
  head.writeUInt32BE(8 + body.length, 0);
  head.writeUInt32BE(number, 4);
  return Buffer.concat([head, body]);
}

export class RawClient {
  readonly socket: Socket;
  readonly #login: Login;
  readonly #scram = new ScramClient(randomBytes(NONCE_BYTES).toString('base64'));
  #waiter: Waiter | null = null;
  #failure: Error | null = null;

  private constructor(socket: Socket, login: Login) {
    this.socket = socket;
    this.#login = login;
    const reader = new MessageReader((code, body) => this.#onMessage(code, body));
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => reader.feed(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection has ended')));
  }

  /** Connects and logs in. */
  static async connect({ address, login, isTls }: Target): Promise<RawClient> {
    const socket = await dial(address.port, isTls);
    const client = new RawClient(socket, login);
    const text = `user\0${login.user}\0database\0${address.database}\0\0`;
    await client.#ask(opening(PROTOCOL_3_0, text));
    return client;
  }

  /**
   * Runs one text and reads all of its answer.
   * @throws Error with what the server says when it fails
   */
  query(sql: string): Promise<void> {
    return this.#ask(message(ClientCode.Query, Buffer.from(`${sql}\0`)));
  }

  /** Says goodbye, and returns when the connection has ended. */
  async end(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.socket.once('close', () => resolve()));
    this.socket.end(message(ClientCode.Terminate, Buffer.alloc(0)));
    await closed;
  }

  /** Sends something, and waits until the server is ready for more. */
  #ask(bytes: Buffer): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      this.socket.write(bytes);
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
  }

  #onMessage(code: number, body: Buffer): void {
    if (code === ServerCode.ErrorResponse) {
      this.#fail(new Error(body.toString().split('\0').join(' ')));
    } else if (code === ServerCode.Authentication) {
      this.#onAuthentication(body).catch((error: Error) => this.#fail(error));
    } else if (code === ServerCode.ReadyForQuery) {
      const waiter = this.#waiter;
      this.#waiter = null;
      waiter?.resolve();
    }
  }

  async #onAuthentication(body: Buffer): Promise<void> {
    const kind = body.readUInt32BE(0);
    const data = body.subarray(4);
    if (kind === Auth.Sasl) {
      const first = this.#scram.clientFirst();
      const size = Buffer.alloc(4);
      size.writeUInt32BE(first.length);
      const reply = Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), size, first]);
      this.socket.write(message(ClientCode.Password, reply));
    } else if (kind === Auth.SaslContinue) {
      const { salt, iterations } = this.#scram.onServerFirst(data);
      const salted = await saltedPassword(this.#login.password, salt, iterations);
      this.socket.write(message(ClientCode.Password, this.#scram.clientFinal(salted)));
    } else if (kind === Auth.SaslFinal) {
      if (!this.#scram.onServerFinal(data))
        throw new Error('the server does not know the password');
    } else if (kind !== Auth.Ok) {
      throw new Error(`authentication of kind ${kind} was asked for`);
    }
  }
}

/** A connected socket, with TLS when it is wanted. */
async function dial(port: number, isTls: boolean): Promise<Socket> {
  const plain = await connected(connect({ host: HOST, port }), 'connect');
  if (!isTls) return plain;
  const answer = new Promise<Buffer>((resolve, reject) => {
    plain.once('data', resolve);
    plain.once('error', reject);
    plain.once('close', () => reject(new Error('the connection has ended before TLS')));
  });
  plain.write(opening(SSL_REQUEST, ''));
  if ((await answer).toString() !== 'S') throw new Error('the server has no TLS');
  plain.removeAllListeners('data');
  return connected(connectTls({ socket: plain, rejectUnauthorized: false }), 'secureConnect');
}

function connected<T extends Socket>(socket: T, event: string): Promise<T> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
