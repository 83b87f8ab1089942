/** Messages that are always the same. They are shared: nobody may write to them. */
import { ClientCode, ServerCode, TransactionStatus } from './codes.ts';

const bare = (code: number): Uint8Array => Uint8Array.of(code, 0, 0, 0, 4);

export const TERMINATE: Uint8Array = bare(ClientCode.Terminate);
export const FLUSH: Uint8Array = bare(ClientCode.Flush);
export const SYNC: Uint8Array = bare(ClientCode.Sync);

export const PARSE_COMPLETE: Uint8Array = bare(ServerCode.ParseComplete);
export const CLOSE_COMPLETE: Uint8Array = bare(ServerCode.CloseComplete);
export const NO_DATA: Uint8Array = bare(ServerCode.NoData);

/** ReadyForQuery outside a transaction. */
export const READY_IDLE: Uint8Array = Uint8Array.of(
  ServerCode.ReadyForQuery,
  0,
  0,
  0,
  5,
  TransactionStatus.Idle,
);
