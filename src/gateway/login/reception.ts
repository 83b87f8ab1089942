import type { Socket } from 'node:net';
import { utf8ByteString } from '../../base/bytes.ts';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Random } from '../../base/time.ts';
import type { ListenerConfig } from '../../config/model.ts';
import { closeGently } from '../../net/closing.ts';
import type { ServerTls } from '../../net/tls-accept.ts';
import {
  decodeErrorFields,
  encodeErrorResponse,
  encodeGatewayError,
} from '../../protocol/error-response.ts';
import { asApplicationName } from '../../protocol/startup-settings.ts';
import { isTrackedParameter, Settings } from '../../session/settings.ts';
import { ClientConnection } from '../clients/client-connection.ts';
import type { ClientRegistry } from '../clients/client-registry.ts';
import type { Database } from '../database.ts';
import { admit } from './client-login.ts';
import type { Credentials } from './credentials.ts';
import type { AdmittedClient } from './login-context.ts';

/** What a reception needs of its gateway. */
export type ReceptionContext = {
  readonly clients: ClientRegistry;
  credentials(): Credentials;
  /** @throws GatewayError when it is served no more */
  database(name: string): Database;
  /** Resolves when what the client did is cancelled, or there is no such client. Never rejects. */
  cancel(processId: number, secretKey: Uint8Array): Promise<void>;
  readonly random: Random;
  readonly log: Log;
};

/** Takes the connections of one listener: logs clients in, and delivers cancel requests. */
export class Reception {
  readonly #context: ReceptionContext;
  /** Connections accepted by this listener that have not ended. */
  #connections = 0;

  constructor(context: ReceptionContext) {
    this.#context = context;
  }

  /** Never rejects. */
  async receive(
    socket: Socket,
    config: ListenerConfig,
    serverTls: ServerTls | null,
  ): Promise<void> {
    if (this.#connections >= config.clientsMax) {
      closeGently(socket, encodeGatewayError(new GatewayError('MR_TOO_MANY_CLIENTS')));
      return;
    }
    this.#connections++;
    socket.once('close', () => this.#connections--);
    const { random, log } = this.#context;
    const credentials = this.#context.credentials();
    try {
      const admitted = await admit(socket, {
        tls: config.tls,
        serverTls,
        clientCert: config.tlsClientCert,
        loginTimeoutMs: config.loginTimeoutMs,
        findCredential: (user, database) => credentials.find(user, database),
        mockSecret: credentials.mockSecret,
        random,
        log,
      });
      if (admitted.kind === 'cancel') {
        await this.#context.cancel(admitted.processId, admitted.secretKey);
        // The end of this connection tells the client that its next statement is safe.
        closeGently(admitted.socket);
      } else await this.#welcome(admitted);
    } catch (error) {
      // Who was refused has been told, and the log too; anything else is a mistake of ours.
      if (!(error instanceof GatewayError)) {
        log.error({ reason: String(error) }, 'a login failed');
        socket.destroy();
      }
    }
  }

  async #welcome(admitted: AdmittedClient): Promise<void> {
    const { socket, user, accepted } = admitted;
    try {
      const database = this.#context.database(admitted.database);
      const result = await database.introduce(settingsOf(admitted, database));
      if (socket.destroyed) return;
      if (result.kind === 'refused') {
        const bytes = Buffer.from(result.fields, 'latin1');
        const fields = decodeErrorFields(bytes, 0, bytes.length);
        const error = encodeErrorResponse({ ...fields, severity: 'FATAL' });
        closeGently(socket, Buffer.concat([accepted, error]));
        return;
      }
      if (admitted.settings.problem !== null) throw admitted.settings.problem;
      const { clients } = this.#context;
      const identity = clients.newIdentity(user, admitted.minor);
      const client = new ClientConnection(socket, database, identity, result.settings, (closed) => {
        clients.delete(closed);
        database.removeClient(closed);
      });
      clients.add(client);
      database.clients.add(client);
      client.welcome(accepted, database.parameters, admitted.leftover);
    } catch (caught) {
      const error = GatewayError.from(caught);
      const { code } = error;
      // What a client wrote into its options may be a secret of its own.
      const reason = error === admitted.settings.problem ? 'its options are wrong' : error.message;
      const fields = { code, configuration: admitted.database, user };
      this.#context.log.info(fields, `client turned away: ${reason}`);
      closeGently(socket, Buffer.concat([accepted, encodeGatewayError(error)]));
    }
  }
}

/** What a client asks for at startup, as far as a fresh link does not have it anyway. */
function settingsOf(admitted: AdmittedClient, database: Database): Settings {
  let settings = Settings.NONE;
  for (const [name, text] of admitted.settings.parameters) {
    const value = utf8ByteString(text);
    const isAnyway = isTrackedParameter(name) && hasAnyway(database, name, value);
    if (name === 'application_name') {
      settings = settings.with(name, asApplicationName(text));
    } else if (!isAnyway) {
      settings = settings.with(utf8ByteString(name), value);
    }
  }
  return settings;
}

/** @param name in lower case */
function hasAnyway({ parameters }: Database, name: string, value: string): boolean {
  for (const [known, fresh] of parameters) {
    if (known.toLowerCase() === name) return fresh.toLowerCase() === value.toLowerCase();
  }
  return false;
}
