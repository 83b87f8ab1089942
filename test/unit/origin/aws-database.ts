/** A database that asks for a cleartext password in TLS, as RDS does for a token of IAM. */
import { readToken, refuseToken } from '../../../src/aws/presigned-token.ts';
import type { GatewayError } from '../../../src/base/errors.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { connectOrigin } from '../../../src/origin/connect.ts';
import {
  decodePassword,
  encodeAuthenticationCleartextPassword,
} from '../../../src/protocol/authentication.ts';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import type { AwsStandIn } from '../../support/aws.ts';
import { pki } from '../../support/pki.ts';
import {
  type FakeServer,
  fakeServer,
  OPTIONS,
  offeringTls,
  originAt,
  WELCOME,
} from './fake-server.ts';

export type ShownLogin = { readonly user: string; readonly password: string };

export type AwsDatabase = FakeServer & {
  /** What was shown, in order. */
  readonly logins: ShownLogin[];
};

export type Refusal = { sqlstate: string; message: string; hint?: string };

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

export const PAM_REFUSAL: Refusal = { sqlstate: '28000', message: 'PAM authentication failed' };

/** As RDS judges: by signature, region, host, port, user and time, and always with the same words. */
export function judgeToken(aws: AwsStandIn, host: string, region: string) {
  return ({ user, password }: ShownLogin): Refusal | null => {
    const token = readToken(password);
    if ('reason' in token || token.user !== user) return PAM_REFUSAL;
    const key = aws.keys.get(token.accessKeyId) ?? null;
    const demand = { hosts: [host], service: 'rds-db', region, key, nowMs: Date.now() } as const;
    return refuseToken(token, demand) === null ? null : PAM_REFUSAL;
  };
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
