import { ClientCode } from '../protocol/codes.ts';
import { type Consequence, OWN, Owed } from './ledger.ts';
import type { Link } from './link.ts';
import { sendParse } from './statements/statement-messages.ts';
import { RESERVED_PREFIX } from './statements/statements.ts';

/** Of a statement and of a portal of the gateway's own, among those of the client. */
const NAME = `${RESERVED_PREFIX}own`;
const NAME_BYTES = Buffer.from(NAME, 'latin1');
const RUN = Buffer.concat([
  message(ClientCode.Bind, `${NAME}\0${NAME}\0\0\0\0\0\0\0`),
  message(ClientCode.Execute, `${NAME}\0\0\0\0\0`),
  message(ClientCode.Close, `P${NAME}\0`),
  message(ClientCode.Close, `S${NAME}\0`),
]);

/** With each message of a unit of whose reported parameters the client is to be told. */
export const TOLD: Consequence = { commit: () => {}, rollback: () => {} };

/**
 * Runs statements of the gateway's own in the extended protocol, under names of their own: unlike a
 * simple Query it leaves the client's unnamed statement and portal alone. Nobody reads the answers.
 *
 * @param texts byte strings, one statement each, everything in them qualified
 */
export function sendOwnUnit(link: Link, texts: readonly string[]): void {
  for (const text of texts) {
    link.ledger.push(Owed.Parse, OWN, TOLD);
    sendParse(link.port, NAME_BYTES, Buffer.from(`\0${text}\0\0\0`, 'latin1'));
    link.ledger.push(Owed.Bind, OWN, TOLD);
    link.ledger.push(Owed.Execute, OWN, TOLD);
    link.ledger.push(Owed.Close, OWN, TOLD);
    link.ledger.push(Owed.Close, OWN, TOLD);
    link.port.send(RUN, 0, RUN.length);
  }
  link.sendOwnSync(TOLD);
}

function message(code: number, body: string): Buffer {
  const bytes = Buffer.allocUnsafe(5 + body.length);
  bytes[0] = code;
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.write(body, 5, 'latin1');
  return bytes;
}
