/** A database that asks for a cleartext password in TLS, as RDS does for a token of IAM. */
import type { GatewayError } from '../../../src/base/errors.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { connectOrigin } from '../../../src/origin/connect.ts';
import {
  decodePassword,
  encodeAuthenticationCleartextPassword,
} from '../../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { pki } from '../../support/pki.ts';
import type { Refusal, ShownLogin } from '../../support/rds-judge.ts';
import {
  type FakeServer,
  fakeServer,
  OPTIONS,
  offeringTls,
  originAt,
  WELCOME,
} from './fake-server.ts';

export type AwsDatabase = FakeServer & {
  /** What was shown, in order. */
  readonly logins: ShownLogin[];
};

/** @param judge why a login is refused, or null */
export async function awsDatabase(
  judge: (login: ShownLogin) => Refusal | null,
): Promise<AwsDatabase> {
  const logins: ShownLogin[] = [];
  const server = await fakeServer(
    offeringTls('server', (secure) => {
      secure.once('data', (startup: Buffer) => {
        const parameters = startup.subarray(8).toString().split('\0');
        const user = parameters[parameters.indexOf('user') + 1] ?? '';
        secure.write(encodeAuthenticationCleartextPassword());
        secure.once('data', (chunk: Buffer) => {
          const login = { user, password: decodePassword(chunk.subarray(5)) };
          logins.push(login);
          const refusal = judge(login);
          if (refusal === null) secure.write(WELCOME);
          else
            secure.end(
              encodeErrorResponse({ severity: 'FATAL', detail: '', hint: '', ...refusal }),
            );
        });
      });
    }),
  );
  return { ...server, logins };
}

/** `in`, or the code of the error. */
export async function outcome(origin: OriginConfig, connectTimeoutMs = 10_000): Promise<string> {
  try {
    const { socket } = await connectOrigin(origin, { ...OPTIONS, connectTimeoutMs });
    socket.destroy();
    return 'in';
  } catch (error) {
    return (error as GatewayError).code;
  }
}

export const securely = (port: number, changes: Partial<OriginConfig>): OriginConfig =>
  originAt(port, { sslmode: 'verify-full', ca: pki('ca.crt'), password: null, ...changes });
