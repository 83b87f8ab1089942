import { utf8ByteString } from '../../base/bytes.ts';
import { type Column, encodeResult, INT4, TEXT } from '../../protocol/result.ts';
import { quoteLiteral } from '../../session/settings.ts';
import { LinkConnection } from '../links/link-connection.ts';
import type { PinRow } from '../siblings.ts';
import type { ClientConnection } from './client-connection.ts';

/** The answer to `SHOW millrace.pins` has no more rows than this. */
const ROWS_MAX = 1_000;
const COLUMNS: readonly Column[] = [
  { name: 'client_pid', type: INT4 },
  { name: 'client_user', type: TEXT },
  { name: 'application_name', type: TEXT },
  { name: 'server_pid', type: INT4 },
  { name: 'reason', type: TEXT },
];

/** Which clients keep their link outside transactions, and why: a row a reason. */
export function* pinRows(clients: Iterable<ClientConnection>): Iterable<PinRow> {
  let count = 0;
  for (const { identity, session } of clients) {
    const port = session.link?.port;
    const serverPid = port instanceof LinkConnection ? port.processId : 0;
    const user = utf8ByteString(identity.user);
    const application = session.settings.get('application_name') ?? '';
    for (const reason of session.pins) {
      if (++count > ROWS_MAX) return;
      yield [`${identity.processId}`, user, application, `${serverPid}`, reason];
    }
  }
}

/** The answer to `SHOW millrace.pins` as a simple Query of a client that has no link. */
export function pinsAnswer(rows: Iterable<PinRow>): Uint8Array {
  return encodeResult(
    COLUMNS,
    cut(rows).map((row) => [...row]),
  );
}

/**
 * The query that answers `SHOW millrace.pins`. It is sent in place of the client's statement, so
 * that it works in both protocols and every format. A byte string.
 */
export function pinsText(all: Iterable<PinRow>): string {
  const rows = cut(all);
  const nothing = COLUMNS.map(({ type }) => `NULL::${nameOf(type)}`);
  const values = rows.map((row) =>
    row.map((value, at) => `${quoteLiteral(value)}::${nameOf(COLUMNS[at]?.type)}`),
  );
  const tuples = (rows.length > 0 ? values : [nothing]).map((tuple) => `(${tuple.join(', ')})`);
  const names = COLUMNS.map(({ name }) => name).join(', ');
  const text = `SELECT * FROM (VALUES ${tuples.join(', ')}) AS pins (${names})`;
  return rows.length > 0 ? text : `${text} WHERE false`;
}

function cut(rows: Iterable<PinRow>): PinRow[] {
  const all: PinRow[] = [];
  for (const row of rows) {
    if (all.length >= ROWS_MAX) break;
    all.push(row);
  }
  return all;
}

function nameOf(type: Column['type'] | undefined): string {
  return type === INT4 ? 'pg_catalog.int4' : 'pg_catalog.text';
}
