/**
 * ErrorResponse and NoticeResponse: how our own errors look on the wire, and the few fields we read
 * of a server's. Source: PostgreSQL manual, "Error and Notice Message Fields".
 */
import { indexOfZero, MessageWriter } from '../base/bytes.ts';
import type { GatewayError } from '../base/errors.ts';
import { ServerCode } from './codes.ts';

/** Field types, one letter each on the wire. */
const Field = {
  Severity: 0x53,
  SeverityPlain: 0x56,
  Code: 0x43,
  Message: 0x4d,
  Detail: 0x44,
  Hint: 0x48,
  Routine: 0x52,
} as const;

/** More fields than this are not looked at: PostgreSQL itself knows 18. */
const FIELDS_MAX = 64;

/** Longer texts are cut: they end in log lines and in DETAIL of our own errors. */
const FIELD_SIZE_MAX = 4_096;

/** What a server that sends no SQLSTATE is taken to mean: internal_error. */
const SQLSTATE_UNKNOWN = 'XX000';

/** Empty text where a field is absent. */
export type ErrorFields = {
  readonly severity: string;
  readonly sqlstate: string;
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
};

export function encodeErrorResponse(fields: ErrorFields): Buffer {
  return encodeFields(fields, '');
}

/**
 * The error as a client may see it: text, detail and hint of its row, never its cause. Its code
 * stands where PostgreSQL names the routine in its source: psql shows that by `\errverbose`, and
 * drivers have it as a property of their errors.
 */
export function encodeGatewayError(error: GatewayError): Buffer {
  const { severity, sqlstate, hint } = error.row;
  const { clientText: message, detail, code } = error;
  return encodeFields({ severity, sqlstate, message, detail, hint }, code);
}

function encodeFields(fields: ErrorFields, routine: string): Buffer {
  const writer = new MessageWriter().begin(ServerCode.ErrorResponse);
  // A zero inside a text would end the field early and let the rest pass for another field.
  const put = (field: number, value: string): void => {
    writer.byte(field).cstring(value.replaceAll('\0', ' '));
  };
  put(Field.Severity, fields.severity);
  put(Field.SeverityPlain, fields.severity);
  put(Field.Code, fields.sqlstate);
  put(Field.Message, fields.message);
  if (fields.detail !== '') put(Field.Detail, fields.detail);
  if (fields.hint !== '') put(Field.Hint, fields.hint);
  if (routine !== '') put(Field.Routine, routine);
  return writer.byte(0).end().take();
}

/**
 * Reads the body `[start, end)` of an ErrorResponse or NoticeResponse. It never fails: what is cut
 * off or unknown is passed over, a missing SQLSTATE becomes `XX000` and texts are bounded, so that
 * no server can do harm with a malformed error.
 */
export function decodeErrorFields(bytes: Uint8Array, start: number, end: number): ErrorFields {
  const found = new Map<number, string>();
  let at = start;
  for (let count = 0; count < FIELDS_MAX && at < end && bytes[at] !== 0; count++) {
    const field = bytes[at] as number;
    const zero = indexOfZero(bytes, at + 1, end);
    const textEnd = zero < 0 ? end : zero;
    if (!found.has(field)) {
      const cut = Math.min(textEnd, at + 1 + FIELD_SIZE_MAX);
      found.set(field, Buffer.from(bytes.subarray(at + 1, cut)).toString());
    }
    at = textEnd + 1;
  }
  const sqlstate = found.get(Field.Code) ?? '';
  return {
    severity: found.get(Field.SeverityPlain) ?? found.get(Field.Severity) ?? 'ERROR',
    sqlstate: /^[0-9A-Z]{5}$/.test(sqlstate) ? sqlstate : SQLSTATE_UNKNOWN,
    message: found.get(Field.Message) ?? '',
    detail: found.get(Field.Detail) ?? '',
    hint: found.get(Field.Hint) ?? '',
  };
}
