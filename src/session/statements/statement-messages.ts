import { byteString, indexOfZero, readUint16, readUint32 } from '../../base/bytes.ts';
import { ClientCode } from '../../protocol/codes.ts';
import type { LinkPort } from '../link.ts';

/** Messages about prepared statements, written with a link's names for them. */

const ZERO = Buffer.from([0]);

/** Sends a Parse; `body` begins with the zero that ends the name. */
export function sendParse(port: LinkPort, name: Uint8Array, body: Uint8Array): void {
  const head = Buffer.allocUnsafe(5 + name.length);
  head[0] = ClientCode.Parse;
  head.writeUInt32BE(4 + name.length + body.length, 1);
  head.set(name, 5);
  port.send(head, 0, head.length);
  port.send(body, 0, body.length);
}

/** Where the two names of a Bind message end, or null when they do not. */
export function bindNames(
  chunk: Uint8Array,
  start: number,
  end: number,
): { portalEnd: number; nameEnd: number } | null {
  const portalEnd = indexOfZero(chunk, start + 5, end);
  if (portalEnd < 0) return null;
  const nameEnd = indexOfZero(chunk, portalEnd + 1, end);
  return nameEnd < 0 ? null : { portalEnd, nameEnd };
}

/**
 * Sends a Bind with another statement name: all that is there of it, `[start, end)` of a message of
 * `size` bytes. The caller sends the rest.
 */
export function sendBind(
  port: LinkPort,
  name: Uint8Array,
  chunk: Uint8Array,
  start: number,
  end: number,
  size: number,
  portalEnd: number,
  nameEnd: number,
): void {
  const portalSize = portalEnd + 1 - (start + 5);
  const head = Buffer.allocUnsafe(5 + portalSize + name.length);
  head[0] = ClientCode.Bind;
  head.writeUInt32BE(size - 1 - (nameEnd - (portalEnd + 1)) + name.length, 1);
  head.set(chunk.subarray(start + 5, portalEnd + 1), 5);
  head.set(name, 5 + portalSize);
  port.send(head, 0, head.length);
  port.send(chunk, nameEnd, end);
}

/** Sends a Describe of a statement under another name. */
export function sendDescribe(port: LinkPort, name: Uint8Array): void {
  const head = Buffer.allocUnsafe(6 + name.length);
  head[0] = ClientCode.Describe;
  head.writeUInt32BE(6 + name.length, 1);
  head[5] = 0x53;
  head.set(name, 6);
  port.send(head, 0, head.length);
  port.send(ZERO, 0, 1);
}

/** A text parameter of a Bind by its number, from 1; `start` is behind the names. */
export function bindTextParameter(
  chunk: Uint8Array,
  start: number,
  end: number,
  number: number,
): string | null {
  let at = start;
  if (at + 2 > end) return null;
  const formats = readUint16(chunk, at);
  at += 2 + formats * 2;
  if (at + 2 > end) return null;
  const count = readUint16(chunk, at);
  at += 2;
  for (let n = 1; n <= count && at + 4 <= end; n++) {
    const size = readUint32(chunk, at) | 0;
    at += 4;
    if (n === number) {
      return size < 0 || at + size > end ? null : byteString(chunk, at, at + size);
    }
    if (size > 0) at += size;
  }
  return null;
}

/** Sends a Close of a statement. */
export function sendClose(port: LinkPort, name: Uint8Array): void {
  const message = Buffer.allocUnsafe(7 + name.length);
  message[0] = ClientCode.Close;
  message.writeUInt32BE(6 + name.length, 1);
  message[5] = 0x53;
  message.set(name, 6);
  message[6 + name.length] = 0;
  port.send(message, 0, message.length);
}
