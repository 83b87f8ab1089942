import { utf8ByteString } from '../../base/bytes.ts';
import { type Column, INT4, TEXT } from '../../protocol/result.ts';
import { LinkConnection } from '../links/link-connection.ts';
import type { Shown } from '../show.ts';
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
    for (const reason of session.tenure.pins) {
      if (++count > ROWS_MAX) return;
      yield [`${identity.processId}`, user, application, `${serverPid}`, reason];
    }
  }
}

/** The answer to `SHOW millrace.pins`. */
export function pinsShown(all: Iterable<PinRow>): Shown {
  const rows: PinRow[] = [];
  for (const row of all) {
    if (rows.length >= ROWS_MAX) break;
    rows.push(row);
  }
  return { columns: COLUMNS, rows };
}
