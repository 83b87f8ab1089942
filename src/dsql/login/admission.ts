/** From an accepted connection to a client that may have a session with a cluster. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Identities, Principal } from '../../aws/identities.ts';
import { TOKEN_LENGTH_MAX } from '../../aws/presigned-token.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { closeGently } from '../../net/closing.ts';
import { negotiate, type Opening, openingOf, readOpening } from '../../net/opening.ts';
import type { ServerTls } from '../../net/tls-accept.ts';
import {
  decodePassword,
  encodeAuthenticationCleartextPassword,
} from '../../protocol/authentication.ts';
import { ClientCode } from '../../protocol/codes.ts';
import { encodeGatewayError } from '../../protocol/error-response.ts';
import { PROTOCOL_MINOR_MAX, type StartupPacket } from '../../protocol/startup.ts';
import type { ClusterRecord } from '../clusters/cluster-record.ts';
import { DsqlError } from '../dsql-error.ts';
import { clusterAsked } from './cluster-name.ts';
import type { ConnectionQuota } from './connection-quota.ts';
import { askedParameters, checkParameters, DATABASE } from './startup-parameters.ts';
import { accessDenied, judgeToken } from './token-judge.ts';

/** What an admission needs of a cluster. */
export type ClusterEntrance = {
  readonly record: ClusterRecord;
  readonly quota: ConnectionQuota;
};

export type AdmissionContext<C extends ClusterEntrance> = {
  readonly region: string;
  readonly serverTls: ServerTls;
  readonly identities: Identities;
  /** From the accepted connection to the end of authentication. */
  readonly loginTimeoutMs: number;
  /** Null when there is none of that id, `waking` when it does not take clients yet. */
  find(id: string): C | null | 'waking';
  /** Milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds of the clock that never goes back. */
  nowMs(): number;
  readonly log: Log;
};

export type Admitted<C> = {
  /** Paused, nobody listens to its data. */
  readonly socket: Socket;
  readonly cluster: C;
  readonly role: string;
  readonly principal: Principal;
  readonly minor: number;
  /** As sent; the names are known to be allowed. */
  readonly settings: ReadonlyMap<string, string>;
  /** What the client has sent behind its password. */
  readonly leftover: Buffer;
};

/**
 * Takes a connection through TLS, startup packet and token. The place in the quota of the cluster
 * is the caller's to leave. Null when there is no client to serve: it was refused and told so, or
 * has sent a cancel request, which has no effect here as at Aurora DSQL. Never rejects.
 *
 * @param socket paused and unread, with errors guarded
 */
export async function admit<C extends ClusterEntrance>(
  socket: Socket,
  context: AdmissionContext<C>,
): Promise<Admitted<C> | null> {
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(new GatewayError('MR_LOGIN_TIMEOUT')),
    context.loginTimeoutMs,
  );
  const opening = openingOf(socket, deadline.signal);
  try {
    const tls = { serverTls: context.serverTls, isRequired: true };
    const packet = await readOpening(opening, tls, deadline.signal);
    if (packet.kind === 'cancel') {
      opening.reader.release();
      closeGently(opening.socket);
      return null;
    }
    return await enter(opening, packet, context);
  } catch (error) {
    turnAway(opening, error, context.log);
    return null;
  } finally {
    clearTimeout(timer);
  }
}

async function enter<C extends ClusterEntrance>(
  opening: Opening,
  packet: StartupPacket,
  context: AdmissionContext<C>,
): Promise<Admitted<C>> {
  const asked = askedParameters(packet);
  const { cluster, hosts } = findCluster(opening, asked.clusterId, context);
  negotiate(opening, packet);
  cluster.quota.enter(context.nowMs());
  try {
    const { user } = packet;
    const { record } = cluster;
    const { identities } = context;
    const password = await askPassword(opening);
    const nowMs = context.wallMs();
    const principal = judgeToken({ password, user, cluster: record, hosts, identities, nowMs });
    if (packet.database !== DATABASE) {
      throw new DsqlError('3D000', `database "${packet.database}" does not exist`);
    }
    checkParameters(asked.settings);
    return {
      leftover: opening.reader.release(),
      socket: opening.socket,
      cluster,
      role: user,
      principal,
      minor: Math.min(packet.minor, PROTOCOL_MINOR_MAX),
      settings: asked.settings,
    };
  } catch (error) {
    cluster.quota.leave();
    throw error;
  }
}

function findCluster<C extends ClusterEntrance>(
  { socket }: Opening,
  option: string | null,
  { find, region }: AdmissionContext<C>,
): { readonly cluster: C; readonly hosts: readonly string[] } {
  // Node has `false` there when the client has not asked for a name.
  const serverName: unknown = (socket as TLSSocket & { servername?: unknown }).servername;
  if (typeof serverName !== 'string' || serverName === '') {
    throw new DsqlError('08006', 'unable to accept connection, sni was not received');
  }
  const asked = clusterAsked(serverName, option, region);
  const cluster = asked === null ? null : find(asked.id);
  if (asked === null || cluster === null) {
    throw accessDenied('There is no cluster of that name here.');
  }
  if (cluster === 'waking') {
    const text = 'unable to accept connection, waking up cluster, please retry later';
    throw new DsqlError('57P03', text);
  }
  return { cluster, hosts: asked.hosts };
}

async function askPassword({ socket, reader }: Opening): Promise<string> {
  socket.write(encodeAuthenticationCleartextPassword());
  const answer = await reader.message((code) => {
    if (code === ClientCode.Password) return TOKEN_LENGTH_MAX + 5;
    throw new GatewayError('MR_PROTOCOL_VIOLATION', {
      subject: 'expected the password of the client',
    });
  });
  if (answer === null) throw new GatewayError('MR_CLIENT_LOST');
  return decodePassword(answer.body);
}

function turnAway(opening: Opening, error: unknown, log: Log): void {
  opening.reader.release();
  const remote = opening.socket.remoteAddress;
  if (error instanceof DsqlError) {
    const { sqlstate, message, hint } = error;
    log.info({ remote, sqlstate, hint }, `client turned away: ${message}`);
    closeGently(opening.socket, error.encode('FATAL'));
    return;
  }
  const known = GatewayError.from(error);
  const isHeard = opening.answerable && known.code !== 'MR_CLIENT_LOST';
  log.debug({ remote, code: known.code }, `client turned away: ${known.message}`);
  closeGently(opening.socket, isHeard ? encodeGatewayError(known) : null);
}
