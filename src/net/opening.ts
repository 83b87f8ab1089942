/** How a client's connection begins: encryption, and the first packet of the protocol. */
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import {
  decodeFirstPacket,
  encodeNegotiateProtocolVersion,
  type FirstPacket,
  PROTOCOL_MINOR_MAX,
  type StartupPacket,
} from '../protocol/startup.ts';
import { SocketReader } from './socket-reader.ts';
import {
  ALPN_POSTGRESQL,
  acceptTls,
  type ClientCertificate,
  clientCertificateOf,
  type ServerTls,
} from './tls-accept.ts';

const YES = Buffer.from('S');
const NO = Buffer.from('N');

/** The first byte of a TLS handshake record; no opening packet of PostgreSQL begins so. */
const TLS_HANDSHAKE = 0x16;

/** Values that PostgreSQL reads as "no" for its boolean `replication` parameter. */
const REPLICATION_OFF = new Set(['false', 'off', 'no', '0']);

/** The connection so far; `socket` and `reader` change with TLS. */
export type Opening = {
  socket: Socket;
  reader: SocketReader;
  encrypted: boolean;
  /** The hash of the certificate that the client was shown, when a channel can be bound to it. */
  endPoint: Buffer | null;
  /** What the client has shown. */
  certificate: ClientCertificate;
  /** Whether the client has shown that it speaks the protocol, and so can read an ErrorResponse. */
  answerable: boolean;
};

/** What a listener says of TLS. */
export type OpeningTls = {
  /** Null when the listener has none. */
  readonly serverTls: ServerTls | null;
  readonly isRequired: boolean;
};

export function openingOf(socket: Socket, signal: AbortSignal): Opening {
  return {
    socket,
    reader: new SocketReader(socket, signal),
    encrypted: false,
    endPoint: null,
    certificate: { kind: 'absent' },
    answerable: false,
  };
}

/**
 * Goes through the requests for encryption to the startup packet or cancel request. TLS may also
 * begin at once, without a request (`sslnegotiation=direct` of libpq).
 *
 * Each request is answered at most once, and nothing may be sent along with it (CVE-2021-23214). A
 * cancel request is taken without TLS even where TLS is required, as PostgreSQL does: it holds
 * nothing but the key, and many clients send it so.
 */
export async function readOpening(
  opening: Opening,
  { serverTls, isRequired }: OpeningTls,
  signal: AbortSignal,
): Promise<Exclude<FirstPacket, { kind: 'ssl' | 'gssenc' }>> {
  const asked = new Set<string>();
  if (serverTls !== null && (await beginsWithTls(opening))) {
    await upgradeDirectly(opening, serverTls, signal);
  }
  for (;;) {
    const packet = await readPacket(opening);
    if (packet.kind === 'cancel') return packet;
    if (packet.kind === 'startup') {
      opening.answerable = true;
      if (isRequired && !opening.encrypted) throw new GatewayError('MR_TLS_REQUIRED');
      return packet;
    }
    if (asked.has(packet.kind) || opening.encrypted) {
      opening.answerable = true;
      throw new GatewayError('MR_PROTOCOL_VIOLATION', {
        subject: 'encryption was asked for again',
      });
    }
    asked.add(packet.kind);
    if (!opening.reader.isDrained) {
      throw new GatewayError('MR_PROTOCOL_VIOLATION', {
        subject: 'received unencrypted data after an encryption request',
      });
    }
    if (packet.kind === 'ssl' && serverTls !== null) {
      opening.reader.release();
      opening.socket.write(YES);
      await upgrade(opening, serverTls, signal);
    } else {
      opening.socket.write(NO);
    }
  }
}

async function readPacket(opening: Opening): Promise<FirstPacket> {
  const { reader } = opening;
  for (;;) {
    const packet = decode(opening);
    if (packet !== null) {
      reader.take(packet.size);
      return packet;
    }
    if (!(await reader.more())) throw new GatewayError('MR_CLIENT_LOST');
  }
}

function decode(opening: Opening): FirstPacket | null {
  const { pending } = opening.reader;
  try {
    return decodeFirstPacket(pending, 0, pending.length);
  } catch (error) {
    // A length that cannot be one gets no answer: whoever sent it speaks another protocol.
    opening.answerable = error instanceof GatewayError && error.code !== 'MR_NOT_POSTGRES';
    throw error;
  }
}

/** Looks at the first byte, and takes nothing. */
async function beginsWithTls({ reader }: Opening): Promise<boolean> {
  while (reader.pending.length === 0) {
    if (!(await reader.more())) throw new GatewayError('MR_CLIENT_LOST');
  }
  return reader.pending[0] === TLS_HANDSHAKE;
}

/**
 * TLS without a request: as in PostgreSQL the client must name the protocol by ALPN, since another
 * protocol's client could have been led here and made to say something that means harm.
 */
async function upgradeDirectly(
  opening: Opening,
  tls: ServerTls,
  signal: AbortSignal,
): Promise<void> {
  opening.socket.unshift(opening.reader.release());
  const { alpnProtocol } = await upgrade(opening, tls, signal);
  if (alpnProtocol === ALPN_POSTGRESQL) return;
  const cause = new Error('direct TLS without the ALPN protocol "postgresql"');
  throw new GatewayError('MR_TLS_HANDSHAKE', { cause });
}

async function upgrade(
  opening: Opening,
  tls: ServerTls,
  signal: AbortSignal,
): Promise<{ readonly alpnProtocol: string | false | null }> {
  let secure: Awaited<ReturnType<typeof acceptTls>>;
  try {
    secure = await acceptTls(opening.socket, tls, signal);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('MR_TLS_HANDSHAKE', { cause });
  }
  opening.socket = secure;
  opening.encrypted = true;
  opening.endPoint = tls.endPoint;
  if (tls.asksForCertificate) opening.certificate = clientCertificateOf(secure);
  opening.reader = new SocketReader(secure, signal);
  return secure;
}

/** What we do not speak is refused or negotiated away, before anybody is authenticated. */
export function negotiate(opening: Opening, packet: StartupPacket): void {
  if (packet.replication !== null && !REPLICATION_OFF.has(packet.replication.toLowerCase())) {
    throw new GatewayError('MR_UNSUPPORTED', { subject: 'the replication protocol' });
  }
  const { minor, protocolOptions } = packet;
  if (minor > PROTOCOL_MINOR_MAX || protocolOptions.length > 0) {
    opening.socket.write(encodeNegotiateProtocolVersion(minor, protocolOptions));
  }
}
