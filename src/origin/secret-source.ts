import { setTimeout as sleep } from 'node:timers/promises';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { OriginAuth } from '../config/model.ts';
import { credentialsFailed, credentialsOf } from './aws-credentials.ts';
import type { Login, LoginSource } from './login-source.ts';

export type SecretAuth = Extract<OriginAuth, { method: 'secrets-manager' }>;

/** As the wrappers of AWS keep it: below the 15 minutes that are advised. */
const SECRET_AGE_MAX_MS = 870_000;
/**
 * While Secrets Manager does not answer, the secret of before is used, and it is asked so often.
 */
const RETRY_MS = 10_000;
/**
 * A rotation changes the password in the database before it moves the label: until then the secret
 * is refused. It is asked for again after these times.
 */
const BACKOFF_FIRST_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
/**
 * A login waits that long for the label to move; longer waits are left to logins that come later.
 */
const BACKOFF_WAITED_MAX_MS = 4_000;

type Kept = { readonly login: Login; readonly version: string; readonly untilMs: number };

/**
 * User and password out of a secret, always both of one version: with the strategy of alternating
 * users a rotation changes the user too. Only `AWSCURRENT` is ever read.
 */
export class SecretSource implements LoginSource {
  readonly #auth: SecretAuth;
  readonly #log: Log;
  #client: Promise<SecretsManagerClient> | null = null;
  #kept: Kept | null = null;
  #fetching: Promise<Kept> | null = null;
  #renewing: Promise<void> | null = null;
  #backoffMs = 0;
  #notBeforeMs = 0;

  constructor(auth: SecretAuth, log: Log) {
    this.#auth = auth;
    this.#log = log;
  }

  async current(): Promise<Login> {
    const kept = this.#kept;
    if (kept !== null && Date.now() < kept.untilMs) return kept.login;
    try {
      return (await this.#fetch()).login;
    } catch (error) {
      if (kept === null) throw error;
      const { message } = GatewayError.from(error);
      this.#log.warn({ reason: message }, 'the secret of the origin could not be read again');
      this.#kept = { ...kept, untilMs: Date.now() + RETRY_MS };
      return kept.login;
    }
  }

  async renewed(refused: Login): Promise<Login | null> {
    if (this.#isStill(refused)) {
      this.#renewing ??= this.#renew(refused).finally(() => {
        this.#renewing = null;
      });
      await this.#renewing;
    }
    return this.#isStill(refused) ? null : (this.#kept?.login ?? null);
  }

  #isStill(refused: Login): boolean {
    const login = this.#kept?.login;
    return login?.user === refused.user && login.password === refused.password;
  }

  /** Reads the secret until it is another one, as long as a login may wait for that. */
  async #renew(refused: Login): Promise<void> {
    if (Date.now() < this.#notBeforeMs) return;
    // A refusal long after the last one is the beginning of another rotation.
    if (Date.now() > this.#notBeforeMs + BACKOFF_MAX_MS) this.#backoffMs = 0;
    for (;;) {
      await this.#fetch();
      if (!this.#isStill(refused)) {
        this.#notBeforeMs = 0;
        return;
      }
      this.#backoffMs = Math.min(BACKOFF_MAX_MS, this.#backoffMs * 2 || BACKOFF_FIRST_MS);
      this.#notBeforeMs = Date.now() + this.#backoffMs;
      if (this.#backoffMs > BACKOFF_WAITED_MAX_MS) return;
      await sleep(this.#backoffMs);
    }
  }

  #fetch(): Promise<Kept> {
    this.#fetching ??= this.#read().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  async #read(): Promise<Kept> {
    const { secretId } = this.#auth;
    try {
      this.#client ??= this.#makeClient();
      const client = await this.#client;
      const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
      const answer = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
      const login = readSecret(answer.SecretString ?? '', this.#auth);
      const version = answer.VersionId ?? '';
      if (version !== this.#kept?.version) {
        this.#log.info({ version, user: login.user }, 'the secret of the origin was read');
      }
      this.#kept = { login, version, untilMs: Date.now() + SECRET_AGE_MAX_MS };
      return this.#kept;
    } catch (error) {
      throw error instanceof GatewayError ? error : credentialsFailed(error);
    }
  }

  async #makeClient(): Promise<SecretsManagerClient> {
    const { SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
    const { region } = this.#auth;
    return new SecretsManagerClient({
      region,
      credentials: await credentialsOf(this.#auth, region),
    });
  }
}

/** A flat JSON object; nothing of it may be quoted when it is none. */
function readSecret(text: string, { usernameKey, passwordKey }: SecretAuth): Login {
  const fields = parseObject(text);
  const user = fields[usernameKey];
  const password = fields[passwordKey];
  if (typeof user === 'string' && typeof password === 'string' && user !== '') {
    return { user, password };
  }
  const detail = `the secret is no JSON object with the texts ${usernameKey} and ${passwordKey}`;
  throw new GatewayError('MR_ORIGIN_CREDENTIALS', { detail });
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}
