import { quoteLiteral } from '../session/settings.ts';
import type { ClientConnection } from './client-connection.ts';
import { LinkConnection } from './link-connection.ts';

/** The answer to `SHOW millrace.pins` has no more rows than this. */
const ROWS_MAX = 1_000;
const COLUMNS = 'client_pid, client_user, application_name, server_pid, reason';

/**
 * The query that answers `SHOW millrace.pins`: which clients keep their link outside transactions,
 * and why; one row a reason. It is sent in place of the client's statement, so that it works in
 * both protocols and every format. A byte string.
 */
export function pinsText(clients: Iterable<ClientConnection>): string {
  const rows: string[] = [];
  for (const { identity, session } of clients) {
    const port = session.link?.port;
    const serverPid = port instanceof LinkConnection ? port.processId : 0;
    for (const reason of session.pins) {
      if (rows.length >= ROWS_MAX) break;
      const application = session.settings.get('application_name') ?? '';
      const user = Buffer.from(identity.user).toString('latin1');
      const texts = [user, application].map((text) => `${quoteLiteral(text)}::pg_catalog.text`);
      rows.push(
        `(${identity.processId}::pg_catalog.int4, ${texts.join(', ')}, ` +
          `${serverPid}::pg_catalog.int4, ${quoteLiteral(reason)}::pg_catalog.text)`,
      );
    }
  }
  if (rows.length > 0) return `SELECT * FROM (VALUES ${rows.join(', ')}) AS pins (${COLUMNS})`;
  const nothing = ['int4', 'text', 'text', 'int4', 'text'].map(
    (type) => `NULL::pg_catalog.${type}`,
  );
  return `SELECT * FROM (VALUES (${nothing.join(', ')})) AS pins (${COLUMNS}) WHERE false`;
}
