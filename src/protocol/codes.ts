/**
 * Message type bytes of the PostgreSQL v3 protocol, one table per direction because the same byte
 * means different things (`D` is Describe from a client and DataRow from a server).
 * Source: PostgreSQL manual, "Message Formats".
 */

/** Messages a client sends. */
export const ClientCode = {
  Bind: 0x42,
  Close: 0x43,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyFail: 0x66,
  Describe: 0x44,
  Execute: 0x45,
  Flush: 0x48,
  FunctionCall: 0x46,
  Parse: 0x50,
  /** PasswordMessage, SASLInitialResponse, SASLResponse and GSSResponse share one byte. */
  Password: 0x70,
  Query: 0x51,
  Sync: 0x53,
  Terminate: 0x58,
} as const;

/** Messages a server sends. */
export const ServerCode = {
  Authentication: 0x52,
  BackendKeyData: 0x4b,
  BindComplete: 0x32,
  CloseComplete: 0x33,
  CommandComplete: 0x43,
  CopyBothResponse: 0x57,
  CopyData: 0x64,
  CopyDone: 0x63,
  CopyInResponse: 0x47,
  CopyOutResponse: 0x48,
  DataRow: 0x44,
  EmptyQueryResponse: 0x49,
  ErrorResponse: 0x45,
  FunctionCallResponse: 0x56,
  NegotiateProtocolVersion: 0x76,
  NoData: 0x6e,
  NoticeResponse: 0x4e,
  NotificationResponse: 0x41,
  ParameterDescription: 0x74,
  ParameterStatus: 0x53,
  ParseComplete: 0x31,
  PortalSuspended: 0x73,
  ReadyForQuery: 0x5a,
  RowDescription: 0x54,
} as const;

/** Transaction status byte of ReadyForQuery. */
export const TransactionStatus = {
  Idle: 0x49,
  InTransaction: 0x54,
  Failed: 0x45,
} as const;

/** Requests that stand where a StartupMessage would: their "protocol version" codes. */
export const RequestCode = {
  Ssl: 80877103,
  Gssenc: 80877104,
  Cancel: 80877102,
} as const;

/** Protocol 3.0, the version that every server and client of today speaks. */
export const PROTOCOL_3_0 = 0x00030000;
