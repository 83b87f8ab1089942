/** Messages of a client, built byte by byte and without any check, so that wrong ones can be sent. */

/** A message as it goes over the wire; `length` may lie. */
export function message(code: string, body: Uint8Array, length = body.length + 4): Buffer {
  const head = Buffer.alloc(5);
  head.write(code, 0, 'latin1');
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}

const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

/** Text, raw bytes, or NULL. */
export type Value = string | Uint8Array | null;

function values(list: readonly Value[]): Buffer[] {
  const parts = [int16(list.length)];
  for (const value of list) {
    if (value === null) parts.push(int32(-1));
    else {
      const bytes = Buffer.from(value);
      parts.push(int32(bytes.length), bytes);
    }
  }
  return parts;
}

const formats = (codes: readonly number[]): Buffer =>
  Buffer.concat([int16(codes.length), ...codes.map(int16)]);

export const query = (sql: string): Buffer => message('Q', text(sql));
export const sync = (): Buffer => message('S', Buffer.alloc(0));
export const flush = (): Buffer => message('H', Buffer.alloc(0));
export const terminate = (): Buffer => message('X', Buffer.alloc(0));
export const copyData = (data: string | Uint8Array): Buffer => message('d', Buffer.from(data));
export const copyDone = (): Buffer => message('c', Buffer.alloc(0));
export const copyFail = (reason: string): Buffer => message('f', text(reason));

export function parse(name: string, sql: string, types: readonly number[] = []): Buffer {
  return message(
    'P',
    Buffer.concat([text(name), text(sql), int16(types.length), ...types.map(int32)]),
  );
}

/** Formats are lists of codes as in the protocol: none means text, one stands for all. */
export function bind(
  portal: string,
  statement: string,
  parameters: readonly Value[] = [],
  parameterFormats: readonly number[] = [],
  resultFormats: readonly number[] = [],
): Buffer {
  return message(
    'B',
    Buffer.concat([
      text(portal),
      text(statement),
      formats(parameterFormats),
      ...values(parameters),
      formats(resultFormats),
    ]),
  );
}

type Kind = 'S' | 'P';

export const describeMessage = (kind: Kind, name: string): Buffer =>
  message('D', Buffer.concat([Buffer.from(kind), text(name)]));

export const closeMessage = (kind: Kind, name: string): Buffer =>
  message('C', Buffer.concat([Buffer.from(kind), text(name)]));

/** @param rowsMax 0 for all */
export const execute = (portal = '', rowsMax = 0): Buffer =>
  message('E', Buffer.concat([text(portal), int32(rowsMax)]));

/** Parse, Bind, Execute of the unnamed statement and portal; no Sync. */
export const unnamed = (sql: string, parameters: readonly Value[] = []): Buffer[] => [
  parse('', sql),
  bind('', '', parameters),
  execute(),
];

export function functionCall(oid: number, args: readonly Value[], resultFormat = 0): Buffer {
  return message('F', Buffer.concat([int32(oid), int16(0), ...values(args), int16(resultFormat)]));
}

export function startup(parameters: Readonly<Record<string, string>>, version = 196_608): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) =>
    Buffer.concat([text(name), text(value)]),
  );
  const body = Buffer.concat([int32(version), ...pairs, Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
}

export const cancelRequest = (processId: number, secretKey: Uint8Array): Buffer =>
  Buffer.concat([
    int32(12 + secretKey.length),
    int32(80_877_102),
    int32(processId),
    Buffer.from(secretKey),
  ]);

export const sslRequest = (): Buffer => Buffer.concat([int32(8), int32(80_877_103)]);
