/** Gives each origin the source of its logins, and asks that once more when one has gone stale. */
import { judgeRefusal } from '../aws/login-refusal.ts';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OriginConfig } from '../config/model.ts';
import { OriginRejection } from './login.ts';
import type { Login, LoginSource } from './login-source.ts';
import { SecretSource } from './secret-source.ts';
import { TokenSource } from './token-source.ts';

const sources = new WeakMap<OriginConfig, LoginSource>();

/** The source of an origin as it is configured: another configuration has another. */
function sourceOf(origin: OriginConfig, log: Log): LoginSource {
  let source = sources.get(origin);
  if (source === undefined) {
    source = makeSource(origin, log);
    sources.set(origin, source);
  }
  return source;
}

/** Both origins are logged in to with the same credentials, fetched once. */
export function shareLogin(from: OriginConfig, to: OriginConfig, log: Log): void {
  sources.set(to, sourceOf(from, log));
}

function makeSource({ auth, user, password }: OriginConfig, log: Log): LoginSource {
  if (auth.method === 'secrets-manager') return new SecretSource(auth, log);
  if (auth.method !== 'password') return new TokenSource(auth, user, log);
  const login = { user, password };
  return { current: () => Promise.resolve(login), renewed: () => Promise.resolve(null) };
}

/**
 * Does `work` with what there is to log in with, and once more with something newer when the origin
 * refuses what may have gone stale. A refusal that no credential can mend is not tried again.
 */
export async function withLogin<T>(
  origin: OriginConfig,
  log: Log,
  signal: AbortSignal,
  work: (login: Login) => Promise<T>,
): Promise<T> {
  const source = sourceOf(origin, log);
  const login = await untilAborted(source.current(), signal);
  try {
    return await work(login);
  } catch (error) {
    if (!isStale(origin, error) || signal.aborted) throw error;
    const renewed = await untilAborted(source.renewed(login), signal).catch(() => null);
    if (renewed === null) throw error;
    log.info({ host: origin.host }, 'the origin refused a credential; trying a newer one');
    return await work(renewed);
  }
}

function isStale({ auth }: OriginConfig, error: unknown): boolean {
  if (auth.method === 'password' || !(error instanceof OriginRejection)) return false;
  const shown = auth.method === 'secrets-manager' ? 'secret' : 'token';
  return judgeRefusal(shown, error.sqlstate, error.text, error.hint) === 'stale';
}

/** What others may still wait for goes on. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(GatewayError.from(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
