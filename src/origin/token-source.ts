import { readToken } from '../aws/presigned-token.ts';
import type { Log } from '../base/log.ts';
import type { OriginAuth } from '../config/model.ts';
import { type CredentialProvider, credentialsFailed, credentialsOf } from './aws-credentials.ts';
import type { Login, LoginSource } from './login-source.ts';

export type TokenAuth = Extract<OriginAuth, { method: 'rds-iam' | 'dsql-iam' }>;

/** A token is good for 15 minutes; one on its last minutes may come too late. */
const TOKEN_AGE_MAX_MS = 600_000;
/**
 * A token dies with the temporary credentials that signed it: this long before them it is dropped.
 */
const CREDENTIAL_MARGIN_MS = 60_000;

/** The predefined role of Aurora DSQL, which has an action of its own in IAM. */
const DSQL_ADMIN = 'admin';

export type MintedToken = {
  readonly token: string;
  /** When it must not be used for a login any more, in milliseconds since 1970. */
  readonly usableUntilMs: number;
};

/**
 * Signs a token; nothing but credentials is asked for over the network.
 *
 * @throws GatewayError `MR_ORIGIN_CREDENTIALS`
 */
export async function mintToken(auth: TokenAuth, user: string): Promise<MintedToken> {
  const provider = await credentialsOf(auth, auth.region);
  let credentialsEndMs = Number.POSITIVE_INFINITY;
  const credentials: CredentialProvider = async (options) => {
    const found = await provider(options);
    credentialsEndMs = found.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    return found;
  };
  try {
    const token = await sign(auth, user, credentials);
    const parsed = readToken(token);
    const tokenEndMs = 'reason' in parsed ? 0 : parsed.signedAtMs + TOKEN_AGE_MAX_MS;
    const usableUntilMs = Math.min(tokenEndMs, credentialsEndMs - CREDENTIAL_MARGIN_MS);
    return { token, usableUntilMs };
  } catch (error) {
    throw credentialsFailed(error);
  }
}

async function sign(
  auth: TokenAuth,
  username: string,
  credentials: CredentialProvider,
): Promise<string> {
  const { host: hostname, region } = auth;
  // The SDK takes as long to load as the rest of the program: only who needs it pays for it.
  if (auth.method === 'rds-iam') {
    const { Signer } = await import('@aws-sdk/rds-signer');
    const { port } = auth;
    return new Signer({ hostname, port, region, username, credentials }).getAuthToken();
  }
  const { DsqlSigner } = await import('@aws-sdk/dsql-signer');
  const signer = new DsqlSigner({ hostname, region, credentials });
  return username === DSQL_ADMIN
    ? signer.getDbConnectAdminAuthToken()
    : signer.getDbConnectAuthToken();
}

/** Tokens of IAM for one origin and user: minted when they are needed, and kept for a while. */
export class TokenSource implements LoginSource {
  readonly #auth: TokenAuth;
  readonly #user: string;
  readonly #log: Log;
  #kept: { readonly login: Login; readonly untilMs: number } | null = null;
  /** Logins that were given out as they were minted: a newer token is no better than those. */
  readonly #fresh = new WeakSet<Login>();
  #minting: Promise<Login> | null = null;

  constructor(auth: TokenAuth, user: string, log: Log) {
    this.#auth = auth;
    this.#user = user;
    this.#log = log;
  }

  current(): Promise<Login> {
    const kept = this.#kept;
    if (kept !== null && Date.now() < kept.untilMs) {
      // Another object than the minted one: this one has been lying about.
      return Promise.resolve({ ...kept.login });
    }
    this.#minting ??= this.#mint().finally(() => {
      this.#minting = null;
    });
    return this.#minting;
  }

  renewed(refused: Login): Promise<Login | null> {
    if (this.#kept?.login.password === refused.password) this.#kept = null;
    return this.#fresh.has(refused) ? Promise.resolve(null) : this.current();
  }

  async #mint(): Promise<Login> {
    const { token, usableUntilMs } = await mintToken(this.#auth, this.#user);
    const login = { user: this.#user, password: token };
    this.#fresh.add(login);
    this.#kept = { login, untilMs: usableUntilMs };
    const forMs = usableUntilMs - Date.now();
    this.#log.debug({ host: this.#auth.host, forMs }, 'a token of IAM was minted');
    return login;
  }
}
