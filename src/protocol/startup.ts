/**
 * The packets that open a connection, before typed messages begin: StartupMessage and the requests
 * that stand in its place, plus the short messages a server closes the opening with.
 * Source: PostgreSQL manual, "Message Flow" (start-up) and "Message Formats".
 */
import { indexOfZero, MessageWriter, readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import { PROTOCOL_3_0, RequestCode, ServerCode, TransactionStatus } from './codes.ts';

/** Longest opening packet, length field included: PostgreSQL's MAX_STARTUP_PACKET_LENGTH. */
export const STARTUP_LENGTH_MAX = 10_000;

/** The newest minor version that is spoken with clients; servers are spoken to in 3.0. */
export const PROTOCOL_MINOR_MAX = 2;

/** What all parameters of a PostgreSQL take, about. */
const WELCOME_BYTES = 512;

/** A cancel key is 4 bytes in protocol 3.0 and at most 256 from 3.2 on. */
const CANCEL_KEY_SIZE_MIN = 4;
const CANCEL_KEY_SIZE_MAX = 256;

export type StartupPacket = {
  readonly kind: 'startup';
  /** Bytes of the whole packet. */
  readonly size: number;
  /** Minor protocol version that was asked for; it may be above {@link PROTOCOL_MINOR_MAX}. */
  readonly minor: number;
  readonly user: string;
  /** The user's name when the client gave none. */
  readonly database: string;
  /** As sent, or null. */
  readonly replication: string | null;
  /** The `options` parameter as sent, or null; see `startup-options.ts`. */
  readonly options: string | null;
  /** What remains: settings, by the name that was sent. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Names of the `_pq_.` protocol options; we support none of them. */
  readonly protocolOptions: readonly string[];
};

export type FirstPacket =
  | StartupPacket
  | { readonly kind: 'ssl' | 'gssenc'; readonly size: number }
  | {
      readonly kind: 'cancel';
      readonly size: number;
      readonly processId: number;
      /** Owned by the caller. */
      readonly secretKey: Buffer;
    };

const violation = (subject: string): GatewayError =>
  new GatewayError('MR_PROTOCOL_VIOLATION', { subject });

/**
 * Reads one opening packet from `[start, end)`; null when more bytes are needed.
 *
 * @throws GatewayError `MR_NOT_POSTGRES` when the length cannot be one of this protocol (PostgreSQL
 * closes such a connection without a word), `MR_UNSUPPORTED` for another major version, and
 * `MR_PROTOCOL_VIOLATION` for a malformed packet.
 */
export function decodeFirstPacket(
  bytes: Uint8Array,
  start: number,
  end: number,
): FirstPacket | null {
  if (end - start < 4) return null;
  const size = readUint32(bytes, start);
  if (size < 8 || size > STARTUP_LENGTH_MAX) throw new GatewayError('MR_NOT_POSTGRES');
  if (end - start < size) return null;
  const code = readUint32(bytes, start + 4);
  if (code === RequestCode.Cancel) return decodeCancel(bytes, start, size);
  if (code === RequestCode.Ssl || code === RequestCode.Gssenc) {
    if (size !== 8) throw violation('invalid length of an encryption request');
    return { kind: code === RequestCode.Ssl ? 'ssl' : 'gssenc', size };
  }
  const major = code >>> 16;
  const minor = code & 0xffff;
  if (major !== 3) {
    throw new GatewayError('MR_UNSUPPORTED', { subject: `protocol version ${major}.${minor}` });
  }
  return decodeStartup(bytes, start, size, minor);
}

function decodeCancel(bytes: Uint8Array, start: number, size: number): FirstPacket {
  const keySize = size - 12;
  if (keySize < CANCEL_KEY_SIZE_MIN || keySize > CANCEL_KEY_SIZE_MAX) {
    throw violation('invalid length of a cancel request');
  }
  const processId = readUint32(bytes, start + 8) | 0;
  const secretKey = Buffer.from(bytes.subarray(start + 12, start + size));
  return { kind: 'cancel', size, processId, secretKey };
}

function decodeStartup(
  bytes: Uint8Array,
  start: number,
  size: number,
  minor: number,
): StartupPacket {
  const parameters = new Map<string, string>();
  const protocolOptions: string[] = [];
  for (const [name, value] of startupPairs(bytes, start + 8, start + size)) {
    if (name.startsWith('_pq_.')) {
      protocolOptions.push(name);
      continue;
    }
    if (parameters.has(name)) throw violation(`duplicate startup parameter "${name}"`);
    parameters.set(name, value);
  }
  const takeOut = (name: string): string | null => {
    const value = parameters.get(name) ?? null;
    parameters.delete(name);
    return value;
  };
  const user = takeOut('user');
  if (!user) throw violation('no user name in the startup packet');
  const database = takeOut('database') || user;
  const replication = takeOut('replication');
  const options = takeOut('options');
  return {
    kind: 'startup',
    size,
    minor,
    user,
    database,
    replication,
    options,
    parameters,
    protocolOptions,
  };
}

/** Name and value pairs in `[at, end)`, where a zero is the last byte and the terminator. */
function startupPairs(bytes: Uint8Array, at: number, end: number): [string, string][] {
  // Fatal, because two different user names must never decode to the same replacement characters.
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const pairs: [string, string][] = [];
  const text = (): string => {
    const zero = indexOfZero(bytes, at, end);
    if (zero < 0) throw violation('unterminated text in the startup packet');
    const from = at;
    at = zero + 1;
    try {
      return utf8.decode(bytes.subarray(from, zero));
    } catch {
      throw violation('text in the startup packet is not UTF-8');
    }
  };
  for (;;) {
    const name = text();
    if (name === '') break;
    pairs.push([name, text()]);
  }
  if (at !== end) throw violation('invalid layout of the startup packet');
  return pairs;
}

/** StartupMessage of protocol 3.0; the caller sees to it that nothing holds a zero character. */
export function encodeStartup(parameters: Iterable<readonly [string, string]>): Buffer {
  const writer = new MessageWriter().begin(0).int32(PROTOCOL_3_0);
  for (const [name, value] of parameters) writer.cstring(name).cstring(value);
  return writer.byte(0).end().take();
}

export function encodeSslRequest(): Buffer {
  return new MessageWriter(8).begin(0).int32(RequestCode.Ssl).end().take();
}

export function encodeCancelRequest(processId: number, secretKey: Uint8Array): Buffer {
  return new MessageWriter()
    .begin(0)
    .int32(RequestCode.Cancel)
    .int32(processId)
    .bytes(secretKey)
    .end()
    .take();
}

/**
 * Says which version the session speaks, the newest known here unless the client asked for less,
 * and which `_pq_.` options are not known. The field carries the whole version number, as
 * PostgreSQL sends it and libpq wants it, although the manual speaks of the minor version.
 */
export function encodeNegotiateProtocolVersion(
  minor: number,
  unknownOptions: readonly string[],
): Buffer {
  const writer = new MessageWriter()
    .begin(ServerCode.NegotiateProtocolVersion)
    .int32(PROTOCOL_3_0 + Math.min(minor, PROTOCOL_MINOR_MAX))
    .int32(unknownOptions.length);
  for (const name of unknownOptions) writer.cstring(name);
  return writer.end().take();
}

/**
 * All that a server says behind AuthenticationOk.
 * @param toldValue what the client is told of a parameter, by its name and the value that it has
 */
export function encodeWelcome(
  parameters: ReadonlyMap<string, string>,
  toldValue: (name: string, value: string) => string,
  { processId, secretKey }: { readonly processId: number; readonly secretKey: Uint8Array },
): Buffer {
  const writer = new MessageWriter(WELCOME_BYTES);
  for (const [name, value] of parameters) {
    writer.begin(ServerCode.ParameterStatus).cstring(name).cstring(toldValue(name, value)).end();
  }
  writer.begin(ServerCode.BackendKeyData).int32(processId).bytes(secretKey).end();
  return writer.begin(ServerCode.ReadyForQuery).byte(TransactionStatus.Idle).end().take();
}
