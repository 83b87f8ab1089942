import type { Socket } from 'node:net';
import type { ScramVerifier } from '../../auth/scram-keys.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/time.ts';
import type { ClientCertMode, TlsMode } from '../../config/model.ts';
import type { ServerTls } from '../../net/tls-accept.ts';
import type { StartupSettings } from '../../protocol/startup-settings.ts';

/** What a listener knows when a client knocks. */
export type LoginContext = {
  readonly tls: TlsMode;
  /** The certificate of the moment; null exactly when `tls` is `off`. */
  readonly serverTls: ServerTls | null;
  readonly clientCert: ClientCertMode;
  /** One deadline from the accepted connection to the end of authentication. */
  readonly loginTimeoutMs: number;
  /** The verifier of a user of a database, or null when there is no such pair. */
  findCredential(user: string, database: string): { readonly verifier: ScramVerifier } | null;
  /** Known to this gateway alone; as long-lived as the salts of the verifiers. */
  readonly mockSecret: Uint8Array;
  readonly random: Random;
  readonly log: Log;
};

export type AdmittedClient = {
  readonly kind: 'client';
  /** Paused, nobody listens to its data; a TLS socket when the client asked for TLS. */
  readonly socket: Socket;
  readonly user: string;
  readonly database: string;
  /** Minor version of the protocol that is spoken from now on. */
  readonly minor: number;
  readonly settings: StartupSettings;
  /** AuthenticationSASLFinal and AuthenticationOk, to be sent before anything else. */
  readonly accepted: Buffer;
  /** What the client sent behind its last authentication message; to be read first. */
  readonly leftover: Buffer;
};

export type CancelRequest = {
  readonly kind: 'cancel';
  /** Paused; the receiver closes it when the request has been dealt with, without an answer. */
  readonly socket: Socket;
  readonly processId: number;
  readonly secretKey: Buffer;
};

export type Admitted = AdmittedClient | CancelRequest;
