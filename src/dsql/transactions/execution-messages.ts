/** An {@link Execution} on the wire. */
import { MessageWriter } from '../../base/bytes.ts';
import { ClientCode } from '../../protocol/codes.ts';
import { encodeSimpleQuery } from '../server/link-messages.ts';
import type { Execution } from './transaction.ts';

/** One Query, or Parse, Bind, Execute and Sync of the unnamed statement and portal. */
export function encodeExecution({ text, parameterTypes, bind }: Execution): Buffer {
  if (bind === null) return encodeSimpleQuery(text);
  const writer = new MessageWriter(Buffer.byteLength(text) + bind.length + 64);
  encodeParse(writer, text, parameterTypes);
  writer.begin(ClientCode.Bind).cstring('').cstring('').bytes(bind).end();
  writer.begin(ClientCode.Execute).cstring('').int32(0).end();
  return writer.begin(ClientCode.Sync).end().take();
}

/** Asks what a statement takes and returns. */
export function encodeDescription({
  text,
  parameterTypes,
}: Pick<Execution, 'text' | 'parameterTypes'>): Buffer {
  const writer = new MessageWriter(Buffer.byteLength(text) + 64);
  encodeParse(writer, text, parameterTypes);
  writer.begin(ClientCode.Describe).byte(0x53).cstring('').end();
  return writer.begin(ClientCode.Sync).end().take();
}

function encodeParse(writer: MessageWriter, text: string, types: readonly number[]): void {
  writer.begin(ClientCode.Parse).cstring('').cstring(text).int16(types.length);
  for (const oid of types) writer.int32(oid);
  writer.end();
}
