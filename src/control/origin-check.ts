/** Proves an origin by connecting for real, and tells what is wrong in Hyperdrive's codes. */
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OriginConfig } from '../config/model.ts';
import { type ProbeResult, probeOrigin } from '../origin/probe.ts';
import { OriginQueryError } from '../origin/query.ts';
import { ApiError, type ApiErrorName } from './api-error.ts';

/** As long as a connection for a client may take. */
const CHECK_TIMEOUT_MS = 15_000;

/** Addresses that stand for no machine that can be connected to: none, all, and groups. */
function isUnusable(host: string): boolean {
  if (host.startsWith('/')) return true;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return /^(0|22[4-9]|23\d|2[45]\d)\./.test(host);
  return host.includes(':') && (/^\[?[0:]+\]?$/.test(host) || /^\[?ff/i.test(host));
}

/**
 * @throws ApiError 2008 to 2016 with the cause
 */
export async function checkOrigin(origin: OriginConfig, log: Log): Promise<ProbeResult> {
  if (isUnusable(origin.host)) throw refusal('originAddress', 'that address stands for no machine');
  try {
    return await probeOrigin(origin, CHECK_TIMEOUT_MS, log);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const [name, reason] = causeOf(error);
    throw refusal(name, reason, error);
  }
}

function refusal(name: ApiErrorName, reason: string, cause?: unknown): ApiError {
  return new ApiError(name, `Failed to connect to the provided database: ${reason}`, cause);
}

/** The code and the reason; details come from the system or the server, and hold no secret. */
function causeOf(error: GatewayError): readonly [ApiErrorName, string] {
  const { code, detail } = error;
  if (error instanceof OriginQueryError) return ['originQuery', `the test query failed: ${detail}`];
  switch (code) {
    case 'MR_ORIGIN_NAME':
      return ['originName', 'the host name does not resolve'];
    case 'MR_ORIGIN_TIMEOUT':
      return ['originUnreachable', 'no answer from that host and port; is a firewall in between?'];
    case 'MR_ORIGIN_REFUSED':
      return detail === 'ECONNREFUSED'
        ? ['originRefused', 'the connection was refused; does a server listen on that port?']
        : ['originUnreachable', `the host cannot be reached: ${detail}`];
    case 'MR_ORIGIN_TLS':
      return detail.includes('does not support TLS')
        ? ['originWithoutTls', 'the server does not support TLS']
        : ['originOther', `TLS handshake failed: ${tlsReason(detail)}`];
    case 'MR_ORIGIN_AUTH':
      return detail.startsWith('3D000')
        ? ['originDatabase', `the database does not exist: ${detail}`]
        : ['originCredentials', `the credentials were not accepted: ${detail}`];
    default:
      return ['originOther', detail === '' ? error.clientText : detail];
  }
}

const CERTIFICATE_PROBLEMS = /CERT|SELF_SIGNED|ISSUER|ALTNAME|VERIFY/;

function tlsReason(detail: string): string {
  return CERTIFICATE_PROBLEMS.test(detail) ? `cert validation failed (${detail}).` : detail;
}
