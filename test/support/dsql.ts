/**
 * A stand-in for an Aurora DSQL cluster before a real PostgreSQL: TLS and tokens of IAM that are
 * verified, quotas and the end of a session after an hour by a clock of its own, the settings and
 * statements that DSQL refuses, and conflicts at COMMIT on demand. What it says are the words that
 * DSQL is documented, or was seen, to use. It knows nothing of optimistic concurrency itself.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { type PresignedToken, readToken, refuseToken } from '../../src/aws/presigned-token.ts';
import type { SigningKey } from '../../src/aws/signing-key.ts';
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { SocketReader } from '../../src/net/socket-reader.ts';
import { serverTls } from '../../src/net/tls-accept.ts';
import { connectOrigin, type EstablishedLink } from '../../src/origin/connect.ts';
import { loadParser } from '../../src/origin/parser.ts';
import { TokenBucket } from '../../src/pool/link-rate.ts';
import {
  decodePassword,
  encodeAuthenticationCleartextPassword,
} from '../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../src/protocol/error-response.ts';
import { decodeFirstPacket, type StartupPacket } from '../../src/protocol/startup.ts';
import type { LinkRate } from '../../src/session/origin-rules.ts';
import type { SqlParser } from '../../src/sql/facts/parser.ts';
import { DsqlSession } from './dsql-session.ts';
import {
  type CatalogueAccess,
  isSettable,
  type Refused,
  refusedSetting,
} from './dsql-statements.ts';
import { pki } from './pki.ts';
import {
  encodeBackendKeyData,
  encodeParameterStatus,
  encodeReadyForQuery,
} from './server-messages.ts';

export const DSQL_REGION = 'us-east-1';
export const DSQL_HOST = `abcdefghijklmnopqrstuvwxyz.dsql.${DSQL_REGION}.on.aws`;
/** The name in the certificate, under which the cluster is asked for in TLS. */
export const DSQL_SERVER_NAME = 'localhost';

const SESSION_MS = 3_600_000;
const OK = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);

export type DsqlOptions = {
  /** The superuser of the database behind it, which stands for `admin` and for every role. */
  readonly upstream: OriginConfig;
  readonly rate?: LinkRate;
  readonly connectionsMax?: number;
  readonly catalogue?: CatalogueAccess;
};

type Refusal = Refused & { readonly hint?: string };

const DENIED = 'unable to accept connection, access denied';
const denied = (hint: string): Refusal => ({ sqlstate: '08006', message: DENIED, hint });

export class DsqlStandIn {
  /** Who may sign, by access key. */
  readonly keys = new Map<string, SigningKey>();
  readonly sessions = new Set<DsqlSession>();
  /** Cancel requests that came; none has an effect. */
  cancels = 0;
  /** Sessions that were let in. */
  logins = 0;
  /** Texts that were refused, in order. */
  readonly refused: string[] = [];
  /** MESSAGE of logins that were refused. */
  readonly turnedAway: string[] = [];
  /** Texts that came, in order. */
  readonly texts: string[] = [];
  /** So many COMMITs fail, with OC000. */
  conflicts = 0;
  /** So many texts fail, with OC001. */
  schemaChanges = 0;
  /** The clock by which tokens are judged goes ahead of the gateway's by this much. */
  tokensAheadMs = 0;
  readonly catalogue: CatalogueAccess;
  readonly #options: DsqlOptions;
  readonly parser: SqlParser;
  readonly #server: Server;
  readonly #bucket: TokenBucket;
  readonly #tls = serverTls({ cert: pki('server.crt'), key: pki('server.key'), clientCa: null });
  #aheadMs = 0;
  /** Connections that are being let in. */
  #entering = 0;

  private constructor(options: DsqlOptions, parser: SqlParser) {
    this.#options = options;
    this.parser = parser;
    this.catalogue = options.catalogue ?? 'seen';
    this.#bucket = new TokenBucket(options.rate ?? { perSecond: 100, burst: 1_000 }, this.nowMs());
    this.#server = createServer(
      (socket) => void this.#accept(socket).catch(() => socket.destroy()),
    );
  }

  static async start(options: DsqlOptions): Promise<DsqlStandIn> {
    const standIn = new DsqlStandIn(options, await loadParser());
    await new Promise<void>((resolve) => standIn.#server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  nowMs(): number {
    return Date.now() + this.#aheadMs;
  }

  /** Time passes: sessions that are an hour old are cut. */
  advance(ms: number): void {
    this.#aheadMs += ms;
    for (const session of this.sessions) {
      if (this.nowMs() - session.sinceMs >= SESSION_MS) session.cut();
    }
  }

  close(): void {
    this.#server.close();
    for (const session of this.sessions) session.cut();
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on('error', () => {});
    const asked = await firstPacket(socket);
    if (asked === null || asked.kind !== 'ssl') {
      if (asked?.kind === 'cancel') this.cancels++;
      socket.destroy();
      return;
    }
    socket.write('S');
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: this.#tls.secureContext,
    });
    secure.on('error', () => {});
    await new Promise((resolve) => secure.once('secure', resolve));
    const startup = await firstPacket(secure);
    if (startup?.kind === 'cancel') this.cancels++;
    if (startup?.kind !== 'startup') {
      secure.destroy();
      return;
    }
    const refusal = this.#refuseEarly(secure);
    if (refusal !== null) {
      this.#turnAway(secure, refusal);
      return;
    }
    this.#entering++;
    await this.#enter(secure, startup).finally(() => this.#entering--);
  }

  async #enter(secure: TLSSocket, startup: StartupPacket): Promise<void> {
    const refusal = (await this.#refuseToken(secure, startup)) ?? refuseStartup(startup);
    if (refusal !== null) this.#turnAway(secure, refusal);
    else await this.#letIn(secure, startup);
  }

  #turnAway(secure: TLSSocket, { sqlstate, message, hint = '' }: Refusal): void {
    this.turnedAway.push(message);
    secure.end(encodeErrorResponse({ severity: 'FATAL', sqlstate, message, detail: '', hint }));
  }

  #refuseEarly(secure: TLSSocket): Refusal | null {
    if (typeof (secure as { servername?: unknown }).servername !== 'string') {
      return { sqlstate: '08006', message: 'unable to accept connection, sni was not received' };
    }
    if (this.#bucket.take(1, this.nowMs()) === 0) {
      const message = 'Unable to accept connection, rate exceeded.';
      return { sqlstate: '53400', message };
    }
    if (this.sessions.size + this.#entering >= (this.#options.connectionsMax ?? 10_000)) {
      const message = 'Unable to accept connection, too many open connections.';
      return { sqlstate: '53300', message };
    }
    return null;
  }

  async #refuseToken(secure: TLSSocket, { user }: StartupPacket): Promise<Refusal | null> {
    secure.write(encodeAuthenticationCleartextPassword());
    const reader = new SocketReader(secure, AbortSignal.timeout(10_000));
    const message = await reader.message(() => 16_384);
    reader.release();
    const token = readToken(message === null ? '' : decodePassword(message.body));
    return 'reason' in token ? denied('') : this.#judge(token, user);
  }

  #judge(token: PresignedToken, user: string): Refusal | null {
    const key = this.keys.get(token.accessKeyId) ?? null;
    const nowMs = Date.now() + this.tokensAheadMs;
    const demand = {
      hosts: [DSQL_HOST],
      service: 'dsql',
      region: DSQL_REGION,
      key,
      nowMs,
    } as const;
    const refusal = refuseToken(token, demand);
    if (refusal?.reason === 'expired') return denied('Signature expired: it is too old.');
    if (refusal !== null) return denied('');
    const action = user === 'admin' ? 'DbConnectAdmin' : 'DbConnect';
    if (token.action === action) return null;
    return denied(`Wrong user to action mapping. user: ${user}, action: ${token.action}`);
  }

  async #letIn(secure: TLSSocket, { user, parameters }: StartupPacket): Promise<void> {
    const { upstream } = this.#options;
    let link: EstablishedLink;
    try {
      link = await connectOrigin(
        { ...upstream, user },
        {
          connectTimeoutMs: 10_000,
          applicationName: parameters.get('application_name') ?? '',
          log: silentLog,
          parameters: { default_transaction_isolation: 'repeatable read' },
        },
      );
    } catch {
      this.#turnAway(secure, { sqlstate: '28000', message: `Role ${user} does not exist` });
      return;
    }
    this.logins++;
    const told = new Map(link.parameters).set('server_version', '16.15');
    secure.write(
      Buffer.concat([
        OK,
        ...[...told].map(([name, value]) => encodeParameterStatus(name, value)),
        encodeBackendKeyData(link.processId, Buffer.from([1, 2, 3, 4])),
        encodeReadyForQuery(0x49),
      ]),
    );
    this.sessions.add(new DsqlSession(this, secure, link.socket, this.nowMs()));
  }
}

async function firstPacket(socket: Socket) {
  const reader = new SocketReader(socket, AbortSignal.timeout(10_000));
  try {
    for (;;) {
      const packet = decodeFirstPacket(reader.pending, 0, reader.pending.length);
      if (packet !== null) {
        reader.take(packet.size);
        return packet;
      }
      if (!(await reader.more())) return null;
    }
  } finally {
    reader.release();
  }
}

function refuseStartup({ database, parameters, options }: StartupPacket): Refusal | null {
  if (database !== 'postgres') {
    return { sqlstate: '3D000', message: `database "${database}" does not exist` };
  }
  const refused = [...parameters.keys()].find((name) => !isSettable(name));
  if (options !== null) return refusedSetting('options');
  return refused === undefined ? null : refusedSetting(refused);
}
