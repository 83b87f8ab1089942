import { randomBytes } from 'node:crypto';
import { md5Answer } from '../auth/password.ts';
import { type ClientBinding, ScramClient } from '../auth/scram-client.ts';
import { SCRAM_SHA_256, SCRAM_SHA_256_PLUS } from '../auth/scram-keys.ts';
import { GatewayError } from '../base/errors.ts';
import type { ChannelBinding } from '../config/model.ts';
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
  /** By TLS: nobody on the way can read what is sent, so that a cleartext password may be. */
  readonly encrypted: boolean;
  readonly channelBinding: ChannelBinding;
  /** The hash of the server's certificate; null without TLS, or when it allows no binding. */
  readonly endPoint: Uint8Array | null;
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
  /** Whether the exchange proves which certificate both sides see. */
  #isBound = false;

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
    this.#checkDemand(request.kind);
    switch (request.kind) {
      case 'ok':
        this.#expect('fresh', 'answered', 'scram-proven');
        this.#stage = 'ok';
        return null;
      case 'cleartext':
        this.#expect('fresh');
        if (!this.#credentials.encrypted) {
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
    const binding = this.#binding(mechanisms);
    this.#isBound = typeof binding !== 'string';
    const mechanism = this.#isBound ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256;
    if (!mechanisms.includes(mechanism)) {
      throw refused('the server offers no SASL mechanism that is supported');
    }
    this.#password();
    this.#stage = 'scram-first';
    this.#scram = new ScramClient(randomBytes(NONCE_SIZE).toString('base64'), binding);
    return encodeSaslInitialResponse(mechanism, this.#scram.clientFirst());
  }

  /**
   * What is said of channel binding, as libpq chooses it; but where the certificate allows none,
   * libpq fails, and we go on without unless it is required.
   */
  #binding(mechanisms: readonly string[]): ClientBinding {
    const { channelBinding, endPoint, encrypted } = this.#credentials;
    const isOffered = mechanisms.includes(SCRAM_SHA_256_PLUS);
    // Only who stands in the middle of a connection with TLS offers it on one without.
    if (isOffered && !encrypted) {
      throw refused('the server offers channel binding on a connection without TLS');
    }
    if (channelBinding !== 'disable' && endPoint !== null) {
      if (isOffered) return endPoint;
      if (channelBinding !== 'require') return 'unoffered';
    }
    if (channelBinding !== 'require') return 'none';
    if (endPoint === null) {
      throw refused('channel binding is required, and the connection allows none');
    }
    throw refused('channel binding is required, and the server does not offer it');
  }

  /** Where channel binding is required, nothing but an exchange with it lets the server in. */
  #checkDemand(kind: Authentication['kind']): void {
    if (this.#credentials.channelBinding !== 'require' || this.#isBound) return;
    if (kind === 'ok' || kind === 'cleartext' || kind === 'md5') {
      throw refused('channel binding is required, and the server does not ask for it');
    }
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
