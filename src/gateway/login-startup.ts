import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import { SocketReader } from '../net/socket-reader.ts';
import { acceptTls } from '../net/tls-accept.ts';
import {
  decodeFirstPacket,
  encodeNegotiateProtocolVersion,
  type FirstPacket,
  isSettingName,
  parseOptions,
  type StartupPacket,
} from '../protocol/startup.ts';
import type { LoginContext } from './login-context.ts';

const YES = Buffer.from('S');
const NO = Buffer.from('N');

/** Values that PostgreSQL reads as "no" for its boolean `replication` parameter. */
const REPLICATION_OFF = new Set(['false', 'off', 'no', '0']);

/** The connection so far; `socket` and `reader` change with TLS. */
export type Opening = {
  socket: Socket;
  reader: SocketReader;
  encrypted: boolean;
  /** Whether the client has shown that it speaks the protocol, and so can read an ErrorResponse. */
  answerable: boolean;
};

/**
 * Goes through the requests for encryption to the startup packet or cancel request.
 *
 * Each request is answered at most once, and nothing may be sent along with it (CVE-2021-23214). A
 * cancel request is taken without TLS even where TLS is required, as PostgreSQL does: it holds
 * nothing but the key, and many clients send it so.
 */
export async function readOpening(
  opening: Opening,
  context: LoginContext,
  signal: AbortSignal,
): Promise<Exclude<FirstPacket, { kind: 'ssl' | 'gssenc' }>> {
  const asked = new Set<string>();
  for (;;) {
    const packet = await readPacket(opening);
    if (packet.kind === 'cancel') return packet;
    if (packet.kind === 'startup') {
      opening.answerable = true;
      if (context.tls === 'required' && !opening.encrypted)
        throw new GatewayError('MR_TLS_REQUIRED');
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
    if (packet.kind === 'ssl' && context.tls !== 'off' && context.secureContext !== null) {
      await upgrade(opening, context.secureContext, signal);
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

async function upgrade(
  opening: Opening,
  secureContext: NonNullable<LoginContext['secureContext']>,
  signal: AbortSignal,
): Promise<void> {
  opening.reader.release();
  opening.socket.write(YES);
  try {
    opening.socket = await acceptTls(opening.socket, secureContext, signal);
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError('MR_TLS_HANDSHAKE', { cause });
  }
  opening.encrypted = true;
  opening.reader = new SocketReader(opening.socket, signal);
}

/** What we do not speak is refused or negotiated away, before anybody is authenticated. */
export function negotiate(opening: Opening, packet: StartupPacket): void {
  if (packet.replication !== null && !REPLICATION_OFF.has(packet.replication.toLowerCase())) {
    throw new GatewayError('MR_UNSUPPORTED', { subject: 'the replication protocol' });
  }
  if (packet.minor > 0 || packet.protocolOptions.length > 0) {
    opening.socket.write(encodeNegotiateProtocolVersion(packet.protocolOptions));
  }
}

/** The settings a startup packet asks for; see `AdmittedClient.parameters`. */
export function settingsOf(packet: StartupPacket): Map<string, string> {
  const settings = new Map<string, string>();
  const put = (name: string, value: string): void => {
    if (!isSettingName(name)) {
      throw new GatewayError('MR_PROTOCOL_VIOLATION', {
        subject: 'a startup parameter has a name that is no setting',
      });
    }
    settings.set(name.toLowerCase(), value);
  };
  for (const { name, value } of parseOptions(packet.options ?? '')) put(name, value);
  for (const [name, value] of packet.parameters) put(name, value);
  return settings;
}
