import { mockVerifier, SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../../auth/scram-keys.ts';
import { ScramServer } from '../../auth/scram-server.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Opening } from '../../net/opening.ts';
import {
  decodeSaslInitialResponse,
  encodeAuthenticationOk,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../../protocol/authentication.ts';
import { ClientCode } from '../../protocol/codes.ts';
import type { LoginContext } from './login-context.ts';

/** Longest answer of a client; real ones have some hundred bytes, PostgreSQL takes 1,024. */
const SASL_LENGTH_MAX = 2_048;

const NONCE_SIZE = 18;

/**
 * Authenticates a client by SCRAM-SHA-256, in two round trips. Over TLS the exchange may be bound
 * to the certificate of the listener (SCRAM-SHA-256-PLUS), which finds out who stands in the
 * middle. An unknown user, an unknown database and a wrong password go the same way to the same
 * error, and so does the certificate of somebody else.
 *
 * @returns AuthenticationSASLFinal and AuthenticationOk, which are the caller's to send
 * @throws GatewayError `MR_AUTH_FAILED`, `MR_CLIENT_CERT`, `MR_CHANNEL_BINDING`,
 * `MR_PROTOCOL_VIOLATION`, `MR_UNSUPPORTED`, `MR_CLIENT_LOST`
 */
export async function authenticate(
  opening: Opening,
  context: LoginContext,
  user: string,
  database: string,
): Promise<Buffer> {
  const { socket, endPoint } = opening;
  checkCertificate(opening, context);
  const credential = context.findCredential(user, database);
  // Always made, so that the time until the answer does not tell whether the name exists.
  const mock = mockVerifier(context.mockSecret, user, database);
  const offer = endPoint === null ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  socket.write(encodeAuthenticationSasl(offer));
  const { mechanism, data } = decodeSaslInitialResponse(await readAnswer(opening));
  if (!offer.includes(mechanism)) {
    throw new GatewayError('MR_PROTOCOL_VIOLATION', {
      subject: 'the client chose a SASL mechanism that was not offered',
    });
  }
  const scram = new ScramServer(
    credential?.verifier ?? mock,
    credential !== null,
    Buffer.from(context.random.bytes(NONCE_SIZE)).toString('base64'),
    { endPoint, isBound: mechanism === SCRAM_SHA_256_PLUS },
  );
  socket.write(encodeAuthenticationSaslContinue(scram.onClientFirst(data)));
  const serverFinal = scram.onClientFinal(await readAnswer(opening));
  if (serverFinal === null) {
    // For the log only: the client must not learn which of the two it was.
    const reason =
      credential === null
        ? `no configuration ${JSON.stringify(database)} with such a user`
        : 'the password does not match';
    throw new GatewayError('MR_AUTH_FAILED', { subject: user, cause: new Error(reason) });
  }
  checkCommonName(opening, context, user);
  return Buffer.concat([encodeAuthenticationSaslFinal(serverFinal), encodeAuthenticationOk()]);
}

/** As PostgreSQL: who needs a certificate and has none is told so before any password is asked. */
function checkCertificate({ certificate }: Opening, { clientCert }: LoginContext): void {
  if (clientCert === 'off' || certificate.kind === 'valid') return;
  const reason = certificate.kind === 'absent' ? 'none was shown' : certificate.reason;
  throw new GatewayError('MR_CLIENT_CERT', { cause: new Error(reason) });
}

/** Only behind the password, so that a stolen certificate does not tell whose it is. */
function checkCommonName(
  { certificate }: Opening,
  { clientCert }: LoginContext,
  user: string,
): void {
  if (clientCert !== 'verify-full') return;
  if (certificate.kind === 'valid' && certificate.commonName === user) return;
  const cause = new Error('the common name of the certificate is not that of the user');
  throw new GatewayError('MR_AUTH_FAILED', { subject: user, cause });
}

/** Body of the next message, which must be a `p`: nothing else has a place here. */
async function readAnswer(opening: Opening): Promise<Buffer> {
  const message = await opening.reader.message((code) => {
    if (code === ClientCode.Password) return SASL_LENGTH_MAX;
    // Also a second startup packet (CVE-2026-107350), which would begin with a zero byte.
    throw new GatewayError('MR_PROTOCOL_VIOLATION', {
      subject: `expected SASL response, got message type ${code}`,
    });
  });
  if (message === null) throw new GatewayError('MR_CLIENT_LOST');
  return message.body;
}
