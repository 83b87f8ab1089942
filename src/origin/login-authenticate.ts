import { randomBytes } from 'node:crypto';
import { md5Answer } from '../auth/password.ts';
import { ScramClient } from '../auth/scram-client.ts';
import { SCRAM_SHA_256 } from '../auth/scram-keys.ts';
import { GatewayError } from '../base/errors.ts';
import {
  type Authentication,
  encodePassword,
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../protocol/authentication.ts';
import { deriveSaltedPassword } from './login-derive.ts';

const NONCE_SIZE = 18;

export type Credentials = {
  readonly user: string;
  /** Null when there is none to give. */
  readonly password: string | null;
  /** Whether nobody on the way can read what is sent, so that a cleartext password may be. */
  readonly confidential: boolean;
};

const refused = (detail: string): GatewayError => new GatewayError('MR_ORIGIN_AUTH', { detail });

/**
 * Our side of proving to a server who we are. A server asks once, by one method; having begun SCRAM
 * it must also prove itself, or AuthenticationOk is not taken from it.
 */
export class Authenticator {
  readonly #credentials: Credentials;
  #stage: 'fresh' | 'answered' | 'scram-first' | 'scram-final' | 'scram-proven' | 'ok' = 'fresh';
  #scram: ScramClient | null = null;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
  }

  get isDone(): boolean {
    return this.#stage === 'ok';
  }

  /**
   * What to send in answer, or null when nothing is to be sent.
   *
   * @throws GatewayError `MR_ORIGIN_AUTH` when it cannot be answered, `MR_PROTOCOL_VIOLATION` when
   * the server is out of order
   */
  async answer(request: Authentication): Promise<Buffer | null> {
    switch (request.kind) {
      case 'ok':
        this.#expect('fresh', 'answered', 'scram-proven');
        this.#stage = 'ok';
        return null;
      case 'cleartext':
        this.#expect('fresh');
        if (!this.#credentials.confidential) {
          throw refused('the server asks for a cleartext password on a connection without TLS');
        }
        this.#stage = 'answered';
        return encodePassword(this.#password());
      case 'md5':
        this.#expect('fresh');
        this.#stage = 'answered';
        return encodePassword(md5Answer(this.#credentials.user, this.#password(), request.salt));
      case 'sasl':
        return this.#beginScram(request.mechanisms);
      case 'sasl-continue':
        return this.#continueScram(request.data);
      case 'sasl-final':
        this.#expect('scram-final');
        if (!this.#scram?.onServerFinal(request.data)) {
          throw refused('the server could not prove that it knows the password');
        }
        this.#stage = 'scram-proven';
        return null;
      case 'refused':
        throw refused(`the server asks for ${request.name}, which is not supported`);
    }
  }

  #beginScram(mechanisms: readonly string[]): Buffer {
    this.#expect('fresh');
    if (!mechanisms.includes(SCRAM_SHA_256)) {
      throw refused('the server offers no SASL mechanism that is supported');
    }
    this.#password();
    this.#stage = 'scram-first';
    this.#scram = new ScramClient(randomBytes(NONCE_SIZE).toString('base64'));
    return encodeSaslInitialResponse(SCRAM_SHA_256, this.#scram.clientFirst());
  }

  async #continueScram(data: Buffer): Promise<Buffer> {
    this.#expect('scram-first');
    const scram = this.#scram as ScramClient;
    const { salt, iterations } = scram.onServerFirst(data);
    this.#stage = 'scram-final';
    const saltedPassword = await deriveSaltedPassword(this.#password(), salt, iterations);
    return encodeSaslResponse(scram.clientFinal(saltedPassword));
  }

  #password(): string {
    const { password } = this.#credentials;
    if (password === null) throw refused('the server asks for a password, and none is configured');
    return password;
  }

  #expect(...stages: string[]): void {
    if (!stages.includes(this.#stage)) {
      throw new GatewayError('MR_PROTOCOL_VIOLATION', {
        subject: 'authentication request out of order',
      });
    }
  }
}
