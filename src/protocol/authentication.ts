/**
 * The Authentication family of a server and the `p` messages a client answers with.
 * Decoders take the body without type and length, and know one failure only: a GatewayError
 * `MR_PROTOCOL_VIOLATION`. Source: PostgreSQL manual, "Message Formats".
 */
import { indexOfZero, MessageWriter, readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import { ClientCode, ServerCode } from './codes.ts';

const AuthenticationCode = {
  Ok: 0,
  CleartextPassword: 3,
  MD5Password: 5,
  SASL: 10,
  SASLContinue: 11,
  SASLFinal: 12,
} as const;

/** Requests we refuse, by the name a user may know them under. */
const REFUSED_NAMES: Readonly<Record<number, string>> = {
  2: 'Kerberos V5',
  4: 'crypt',
  6: 'SCM credentials',
  7: 'GSSAPI',
  8: 'GSSAPI',
  9: 'SSPI',
};

/** PostgreSQL offers two; a server that offers more than this is not one. */
const MECHANISMS_MAX = 32;

export type Authentication =
  | { readonly kind: 'ok' }
  | { readonly kind: 'cleartext' }
  | { readonly kind: 'md5'; readonly salt: Buffer }
  | { readonly kind: 'sasl'; readonly mechanisms: readonly string[] }
  | { readonly kind: 'sasl-continue' | 'sasl-final'; readonly data: Buffer }
  | { readonly kind: 'refused'; readonly name: string };

const violation = (subject: string): GatewayError =>
  new GatewayError('MR_PROTOCOL_VIOLATION', { subject });

const opened = (code: number): MessageWriter =>
  new MessageWriter().begin(ServerCode.Authentication).int32(code);

export function encodeAuthenticationOk(): Buffer {
  return opened(AuthenticationCode.Ok).end().take();
}

export function encodeAuthenticationCleartextPassword(): Buffer {
  return opened(AuthenticationCode.CleartextPassword).end().take();
}

/** @param salt four bytes */
export function encodeAuthenticationMd5Password(salt: Uint8Array): Buffer {
  return opened(AuthenticationCode.MD5Password).bytes(salt).end().take();
}

export function encodeAuthenticationSasl(mechanisms: readonly string[]): Buffer {
  const writer = opened(AuthenticationCode.SASL);
  for (const mechanism of mechanisms) writer.cstring(mechanism);
  return writer.byte(0).end().take();
}

export function encodeAuthenticationSaslContinue(data: Uint8Array): Buffer {
  return opened(AuthenticationCode.SASLContinue).bytes(data).end().take();
}

export function encodeAuthenticationSaslFinal(data: Uint8Array): Buffer {
  return opened(AuthenticationCode.SASLFinal).bytes(data).end().take();
}

/** Reads the body of an `R` message; the buffers in the answer are copies. */
export function decodeAuthentication(body: Uint8Array): Authentication {
  if (body.length < 4) throw violation('truncated authentication request');
  const code = readUint32(body, 0);
  const rest = Buffer.from(body.subarray(4));
  switch (code) {
    case AuthenticationCode.Ok:
      return expectEmpty(rest, { kind: 'ok' });
    case AuthenticationCode.CleartextPassword:
      return expectEmpty(rest, { kind: 'cleartext' });
    case AuthenticationCode.MD5Password:
      if (rest.length !== 4) throw violation('MD5 salt is not four bytes');
      return { kind: 'md5', salt: rest };
    case AuthenticationCode.SASL:
      return { kind: 'sasl', mechanisms: decodeMechanisms(rest) };
    case AuthenticationCode.SASLContinue:
      return { kind: 'sasl-continue', data: rest };
    case AuthenticationCode.SASLFinal:
      return { kind: 'sasl-final', data: rest };
    default:
      return { kind: 'refused', name: REFUSED_NAMES[code] ?? `method ${code}` };
  }
}

function expectEmpty(rest: Buffer, request: Authentication): Authentication {
  if (rest.length !== 0) throw violation('authentication request is too long');
  return request;
}

function decodeMechanisms(bytes: Buffer): string[] {
  const mechanisms: string[] = [];
  for (let at = 0; mechanisms.length < MECHANISMS_MAX; ) {
    const zero = indexOfZero(bytes, at, bytes.length);
    if (zero < 0) break;
    if (zero === at) {
      if (at !== bytes.length - 1) break;
      return mechanisms;
    }
    mechanisms.push(bytes.toString('latin1', at, zero));
    at = zero + 1;
  }
  throw violation('malformed list of SASL mechanisms');
}

/** PasswordMessage: a cleartext password, or the answer to an MD5 request. */
export function encodePassword(password: string): Buffer {
  return new MessageWriter().begin(ClientCode.Password).cstring(password).end().take();
}

export function encodeSaslInitialResponse(mechanism: string, data: Uint8Array): Buffer {
  return new MessageWriter()
    .begin(ClientCode.Password)
    .cstring(mechanism)
    .int32(data.length)
    .bytes(data)
    .end()
    .take();
}

export function encodeSaslResponse(data: Uint8Array): Buffer {
  return new MessageWriter().begin(ClientCode.Password).bytes(data).end().take();
}

/** Reads the body of a PasswordMessage. */
export function decodePassword(body: Uint8Array): string {
  const zero = indexOfZero(body, 0, body.length);
  if (zero < 0 || zero !== body.length - 1) throw violation('malformed password message');
  return Buffer.from(body.subarray(0, zero)).toString();
}

/** Reads the body of a SASLInitialResponse; `data` is a copy. */
export function decodeSaslInitialResponse(body: Uint8Array): { mechanism: string; data: Buffer } {
  const zero = indexOfZero(body, 0, body.length);
  if (zero < 0 || body.length - zero < 5) throw violation('malformed SASLInitialResponse');
  const mechanism = Buffer.from(body.subarray(0, zero)).toString('latin1');
  const size = readUint32(body, zero + 1);
  // All bits set means that there is no data. SCRAM is client-first, and every client sends it.
  if (size !== body.length - zero - 5) throw violation('malformed SASLInitialResponse');
  return { mechanism, data: Buffer.from(body.subarray(zero + 5)) };
}
