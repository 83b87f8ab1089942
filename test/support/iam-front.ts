/**
 * Stands before the instances of the Aurora stand-in and lets members of `rds_iam` in by tokens, as
 * RDS does by PAM: it asks for a cleartext password in TLS, verifies the token, and passes the
 * connection on to the server, which trusts it. All others log in at the server as always.
 */
import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from 'node:net';
import type { SigningKey } from '../../src/aws/signing-key.ts';
import { AURORA_REGION } from '../../src/embedded/aurora/endpoints.ts';
import type { AuroraFront, Fronted, FrontMaker } from '../../src/embedded/aurora/front.ts';
import { SocketReader } from '../../src/net/socket-reader.ts';
import { acceptTls, type ServerTls, serverTls } from '../../src/net/tls-accept.ts';
import {
  decodePassword,
  encodeAuthenticationCleartextPassword,
} from '../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../src/protocol/error-response.ts';
import {
  decodeFirstPacket,
  type FirstPacket,
  type StartupPacket,
} from '../../src/protocol/startup.ts';
import { judgeToken, type Refusal } from './rds-judge.ts';

/** A TLS handshake without a request before it (PostgreSQL 17). */
const TLS_RECORD = 0x16;
const PASSWORD_LENGTH_MAX = 32_768;
/** Encryption may be asked for twice, and then comes the startup packet. */
const FIRST_PACKETS_MAX = 3;

export type IamOptions = {
  /** Who may sign, by access key. */
  readonly accessKeys: ReadonlyMap<string, SigningKey>;
  /**
   * Whether a token for an endpoint of the cluster is good at every name of the instance. Else it
   * must be for the very name that the client asks for in TLS.
   */
  readonly acceptsClusterTokens?: boolean;
};

export type IamLogin = {
  readonly instance: string;
  readonly user: string;
  readonly token: string;
  readonly isIn: boolean;
};

type Latch = { readonly done: Promise<void>; readonly resolve: () => void };

function latch(): Latch {
  let resolve: () => void = () => {};
  const done = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { done, resolve };
}

type Client = { readonly stream: Socket; readonly reader: SocketReader };
type Arrival = Client & { readonly serverName: string | null; readonly isEncrypted: boolean };

/** Makes fronts, and keeps what they were shown, in order. */
export class IamFronts {
  readonly logins: IamLogin[] = [];
  readonly options: IamOptions;

  constructor(options: IamOptions) {
    this.options = options;
  }

  readonly make: FrontMaker = (instance) => new IamFront(instance, this);
}

class IamFront implements AuroraFront {
  readonly #instance: Fronted;
  readonly #fronts: IamFronts;
  readonly #tls: ServerTls;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #closing = new AbortController();
  /** Set while the instance is frozen. */
  #thaw: Latch | null = null;

  constructor(instance: Fronted, fronts: IamFronts) {
    this.#instance = instance;
    this.#fronts = fronts;
    this.#tls = serverTls({ ...instance.certificate, clientCa: null });
  }

  async open(port: number): Promise<void> {
    this.#port = port;
    this.#closing = new AbortController();
    const options = { pauseOnConnect: true, noDelay: true };
    const server = createServer(options, (socket) => void this.#accept(socket));
    server.listen(port, this.#instance.address);
    await once(server, 'listening');
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#closing.abort(new Error('the instance is down'));
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  setFrozen(isFrozen: boolean): void {
    this.#thaw?.resolve();
    this.#thaw = isFrozen ? latch() : null;
  }

  async #accept(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    try {
      await this.#serve(socket, this.#closing.signal);
    } catch {
      // Whoever is not let in learns it from the end of the connection, as from a server that died.
      socket.destroy();
    }
  }

  async #serve(socket: Socket, signal: AbortSignal): Promise<void> {
    let reader = new SocketReader(socket, signal);
    let stream = socket;
    let serverName: string | null = null;
    for (let count = 0; count < FIRST_PACKETS_MAX; count++) {
      const isEncrypted = stream !== socket;
      const packet = await firstPacket(reader, isEncrypted);
      await this.#thaw?.done;
      if (packet === 'tls' || (packet.kind === 'ssl' && !isEncrypted)) {
        if (packet !== 'tls') reader.take(packet.size);
        const early = reader.release();
        if (packet === 'tls') socket.unshift(early);
        else if (early.length > 0) throw new Error('data before TLS');
        else socket.write('S');
        const secure = await acceptTls(socket, this.#tls, signal);
        // The name that the client has asked for, false for none.
        serverName = (secure as unknown as { servername: string | false }).servername || null;
        stream = secure;
        reader = new SocketReader(stream, signal);
      } else if (packet.kind === 'startup') {
        const arrival = { stream, reader, serverName, isEncrypted };
        await this.#onStartup(arrival, packet);
        return;
      } else if (packet.kind === 'cancel') {
        relay({ stream, reader }, this.#serverAt());
        return;
      } else {
        reader.take(packet.size);
        stream.write('N');
      }
    }
    throw new Error('too many requests for encryption');
  }

  async #onStartup(arrival: Arrival, startup: StartupPacket): Promise<void> {
    const { stream, reader, isEncrypted } = arrival;
    const { user, database } = startup;
    if (!(await this.#instance.isIamRole(user, this.#port))) {
      relay(arrival, this.#serverAt());
      return;
    }
    if (!isEncrypted) {
      const who = `host "${stream.remoteAddress}", user "${user}", database "${database}"`;
      const message = `no pg_hba.conf entry for ${who}, no encryption`;
      refuse(stream, { sqlstate: '28000', message });
      return;
    }
    const packet = reader.take(startup.size);
    stream.write(encodeAuthenticationCleartextPassword());
    const answer = await reader.message(() => PASSWORD_LENGTH_MAX);
    if (answer === null) throw new Error('gone');
    await this.#thaw?.done;
    const token = decodePassword(answer.body);
    const refusal = this.#judge(user, token, arrival.serverName);
    const { name, socketPath } = this.#instance;
    this.#fronts.logins.push({ instance: name, user, token, isIn: refusal === null });
    if (refusal !== null) refuse(stream, refusal);
    else relay(arrival, { path: socketPath(this.#port) }, packet);
  }

  #judge(user: string, token: string, serverName: string | null): Refusal | null {
    const { host, clusterEndpoints } = this.#instance;
    const { accessKeys, acceptsClusterTokens = false } = this.#fronts.options;
    const names = [host, ...clusterEndpoints];
    const isStrict = !acceptsClusterTokens && serverName !== null;
    const hosts = (isStrict ? names.filter((name) => name === serverName) : names).map(
      (name) => `${name}:${this.#port}`,
    );
    return judgeToken(
      { keys: accessKeys, hosts, region: AURORA_REGION },
      { user, password: token },
    );
  }

  #serverAt(): NetConnectOpts {
    return { host: this.#instance.serverAddress, port: this.#port };
  }
}

/** Leaves the packet with the reader. `tls` for a handshake that begins at once. */
async function firstPacket(
  reader: SocketReader,
  isEncrypted: boolean,
): Promise<FirstPacket | 'tls'> {
  for (;;) {
    const { pending } = reader;
    if (!isEncrypted && pending[0] === TLS_RECORD) return 'tls';
    const packet = decodeFirstPacket(pending, 0, pending.length);
    if (packet !== null) return packet;
    if (!(await reader.more())) throw new Error('gone');
  }
}

/** Joins the client with the server, which is told `packet` and what the reader holds. */
function relay({ stream, reader }: Client, to: NetConnectOpts, packet?: Buffer): void {
  const server = connect(to);
  if (packet !== undefined) server.write(packet);
  server.write(reader.release());
  stream.pipe(server);
  server.pipe(stream);
  server.on('error', () => {});
  server.once('close', () => stream.destroySoon());
  stream.once('close', () => server.destroy());
}

function refuse(stream: Socket, refusal: Refusal): void {
  stream.end(encodeErrorResponse({ severity: 'FATAL', detail: '', hint: '', ...refusal }));
}
