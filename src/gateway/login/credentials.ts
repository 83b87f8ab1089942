import { createHash } from 'node:crypto';
import { formatVerifier, parseVerifier, type ScramVerifier } from '../../auth/scram-keys.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Random } from '../../base/time.ts';
import type { MillraceConfig } from '../../config/model.ts';
import { mintVerifier } from './login-verifier.ts';

/** Who may log in to what: the verifiers of all configurations, ready for use. */
export class Credentials {
  /** By configuration, then by user; `source` tells whether the credential has changed. */
  readonly #verifiers: Map<string, Map<string, { source: string; verifier: ScramVerifier }>>;
  /** Makes up the salts of users that do not exist; as stable as the verifiers themselves. */
  readonly mockSecret: Uint8Array;

  private constructor(
    verifiers: Map<string, Map<string, { source: string; verifier: ScramVerifier }>>,
    mockSecret: Uint8Array,
  ) {
    this.#verifiers = verifiers;
    this.mockSecret = mockSecret;
  }

  /**
   * Derives what is missing. Verifiers of unchanged passwords are taken from `previous`, so that
   * their salts stay the same: a salt that changes would tell a user from one that does not exist.
   * @param given a mock secret that several processes have in common, or null
   */
  static async of(
    config: MillraceConfig,
    random: Random,
    previous: Credentials | null,
    given: Uint8Array | null = null,
  ): Promise<Credentials> {
    const all = new Map<string, Map<string, { source: string; verifier: ScramVerifier }>>();
    const secret = createHash('sha256');
    let hasStable = false;
    for (const { name, credentials } of config.configurations) {
      const users = new Map<string, { source: string; verifier: ScramVerifier }>();
      for (const { user, verifier: text, password } of credentials) {
        const source = text ?? `password:${password ?? ''}`;
        const known = previous === null ? undefined : previous.#verifiers.get(name)?.get(user);
        const verifier =
          known?.source === source
            ? known.verifier
            : await verifierFrom(text, password ?? '', user, random);
        users.set(user, { source, verifier });
        if (text !== null) {
          secret.update(text);
          hasStable = true;
        }
      }
      all.set(name, users);
    }
    const own = hasStable
      ? secret.update('mock').digest()
      : (previous?.mockSecret ?? random.bytes(32));
    return new Credentials(all, given ?? own);
  }

  /** The configuration with verifiers in place of the passwords of clients. */
  withVerifiers(config: MillraceConfig): MillraceConfig {
    const configurations = config.configurations.map((configuration) => {
      const users = this.#verifiers.get(configuration.name);
      const credentials = configuration.credentials.map((one) => {
        const known = users?.get(one.user);
        if (known === undefined) return one;
        return { user: one.user, verifier: formatVerifier(known.verifier), password: null };
      });
      return { ...configuration, credentials };
    });
    return { ...config, configurations };
  }

  find(user: string, database: string): { readonly verifier: ScramVerifier } | null {
    return this.#verifiers.get(database)?.get(user) ?? null;
  }
}

async function verifierFrom(
  text: string | null,
  password: string,
  user: string,
  random: Random,
): Promise<ScramVerifier> {
  if (text === null) return await mintVerifier(password, random);
  const verifier = parseVerifier(text);
  if (verifier !== null) return verifier;
  throw new GatewayError('MR_CONFIG_INVALID', { subject: `the verifier of user "${user}"` });
}
