import { connect, type Socket } from 'node:net';
import type { GatewayError } from '../../../../src/base/errors.ts';
import { type Log, silentLog } from '../../../../src/base/log.ts';
import type { ClientCertMode, TlsMode } from '../../../../src/config/model.ts';
import { admit } from '../../../../src/gateway/login/client-login.ts';
import type { Admitted, LoginContext } from '../../../../src/gateway/login/login-context.ts';
import { mintVerifier } from '../../../../src/gateway/login/login-verifier.ts';
import { type Listener, listen } from '../../../../src/net/listen.ts';
import { serverTls } from '../../../../src/net/tls-accept.ts';
import { pki } from '../../../support/pki.ts';

/** Counts up, so that two nonces of one run always differ. */
export const countingRandom = () => {
  let count = 0;
  return { bytes: (size: number) => new Uint8Array(size).fill(++count) };
};

/** A listener that does nothing but admit; what came of each connection is collected. */
export type LoginBench = {
  readonly port: number;
  readonly admitted: Admitted[];
  readonly failures: GatewayError[];
  readonly sockets: Socket[];
  readonly logged: string[];
  close(): void;
};

/** User `joe`, password `s3cret`, database `shop`. */
export async function startLoginBench(
  options: {
    tls?: TlsMode;
    clientCert?: ClientCertMode;
    /** Name of the certificate in the pki folder. */
    certificate?: string;
    /** Users beside `joe`, with the same password. */
    users?: readonly string[];
    loginTimeoutMs?: number;
    onAdmitted?: (admitted: Admitted) => void;
  } = {},
): Promise<LoginBench> {
  const users = ['joe', ...(options.users ?? [])];
  const { tls = 'off', clientCert = 'off', certificate = 'server' } = options;
  const random = countingRandom();
  const verifier = await mintVerifier('s3cret', random);
  const bench = {
    admitted: [] as Admitted[],
    failures: [] as GatewayError[],
    sockets: [] as Socket[],
    logged: [] as string[],
  };
  const note = (fields: object, message: string): void => {
    bench.logged.push(`${JSON.stringify(fields)} ${message}`);
  };
  const log: Log = { ...silentLog, info: note, debug: note };
  const context: LoginContext = {
    tls,
    serverTls:
      tls === 'off'
        ? null
        : serverTls({
            cert: pki(`${certificate}.crt`),
            key: pki(`${certificate}.key`),
            clientCa: clientCert === 'off' ? null : pki('ca.crt'),
          }),
    clientCert,
    loginTimeoutMs: options.loginTimeoutMs ?? 10_000,
    findCredential: (user, database) =>
      users.includes(user) && database === 'shop' ? { verifier } : null,
    mockSecret: Buffer.alloc(32, 5),
    random,
    log,
  };
  const listener: Listener = await listen(
    { address: '127.0.0.1', port: 0 },
    (socket) => {
      bench.sockets.push(socket);
      admit(socket, context).then(
        (admitted) => {
          bench.admitted.push(admitted);
          if (admitted.kind === 'client') admitted.socket.write(admitted.accepted);
          options.onAdmitted?.(admitted);
        },
        (error: GatewayError) => bench.failures.push(error),
      );
    },
    () => {},
  );
  const close = (): void => {
    listener.close();
    for (const socket of bench.sockets) socket.destroy();
  };
  return { ...bench, port: listener.port, close };
}

/** A client that sends whatever it is told and keeps whatever it is sent. */
export class RawClient {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;

  /** @param to a port to connect to, or a socket that is connected */
  constructor(to: number | Socket) {
    this.socket =
      typeof to === 'number'
        ? connect({ port: to, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
        : to;
    this.socket.on('error', () => {});
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
  }

  send(bytes: Uint8Array | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  async until(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
    const began = performance.now();
    while (!condition()) {
      if (performance.now() - began > timeoutMs) {
        throw new Error(`nothing came of it; received ${this.received.toString('latin1')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Everything received until the other side ended. */
  async untilEnd(): Promise<string> {
    await this.until(() => this.ended || this.socket.destroyed);
    this.socket.destroy();
    return this.received.toString('latin1');
  }

  /** Waits until `size` bytes are there, takes them off and returns them. */
  async take(size: number): Promise<Buffer> {
    await this.until(() => this.received.length >= size);
    const taken = this.received.subarray(0, size);
    this.received = this.received.subarray(size);
    return taken;
  }

  /** Waits for one typed message and returns its code and body. */
  async message(): Promise<{ code: string; body: Buffer }> {
    const head = await this.take(5);
    const body = await this.take(head.readUInt32BE(1) - 4);
    return { code: head.toString('latin1', 0, 1), body };
  }
}
