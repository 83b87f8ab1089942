/** Messages of a server that the gateway itself sends as part of others only. */
import { MessageWriter } from '../../src/base/bytes.ts';
import { ServerCode } from '../../src/protocol/codes.ts';

export function encodeParameterStatus(name: string, value: string): Buffer {
  const writer = new MessageWriter().begin(ServerCode.ParameterStatus);
  return writer.cstring(name).cstring(value).end().take();
}

export function encodeBackendKeyData(processId: number, secretKey: Uint8Array): Buffer {
  const writer = new MessageWriter().begin(ServerCode.BackendKeyData);
  return writer.int32(processId).bytes(secretKey).end().take();
}

/** @param status a value of `TransactionStatus` */
export function encodeReadyForQuery(status: number): Buffer {
  return new MessageWriter(8).begin(ServerCode.ReadyForQuery).byte(status).end().take();
}
