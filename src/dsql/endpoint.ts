/** The listener of the DSQL endpoint, for all clusters of a region. */
import type { Socket } from 'node:net';
import { GatewayError } from '../base/errors.ts';
import { closeGently } from '../net/closing.ts';
import { type Listener, listen } from '../net/listen.ts';
import { encodeAuthenticationOk } from '../protocol/authentication.ts';
import { encodeGatewayError } from '../protocol/error-response.ts';
import { encodeWelcome } from '../protocol/startup.ts';
import type { Cluster } from './cluster.ts';
import { DsqlError } from './dsql-error.ts';
import { type AdmissionContext, type Admitted, admit } from './login/admission.ts';
import { toldParameters } from './login/startup-parameters.ts';
import { ServerError } from './server/server-link.ts';
import { ClientPort } from './session/client-port.ts';

/** Connections that are let in or wait for it; those that are in count against their cluster. */
const ENTERING_MAX = 1_000;

export type EndpointOptions = AdmissionContext<Cluster> & {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
};

export class DsqlEndpoint {
  readonly #options: EndpointOptions;
  #listener: Listener | null = null;
  #entering = 0;

  private constructor(options: EndpointOptions) {
    this.#options = options;
  }

  /** @throws GatewayError `MR_LISTEN_FAILED` */
  static async start(options: EndpointOptions): Promise<DsqlEndpoint> {
    const endpoint = new DsqlEndpoint(options);
    const onSocket = (socket: Socket): void => endpoint.#receive(socket);
    const onError = (error: Error): void =>
      options.log.error({ error }, 'the DSQL endpoint could not accept a connection');
    endpoint.#listener = await listen(options, onSocket, onError);
    return endpoint;
  }

  get address(): string {
    return (this.#listener as Listener).address;
  }

  get port(): number {
    return (this.#listener as Listener).port;
  }

  /** No new clients; those that are in belong to their clusters. */
  close(): void {
    this.#listener?.close();
  }

  #receive(socket: Socket): void {
    if (this.#entering >= ENTERING_MAX) {
      closeGently(socket, encodeGatewayError(new GatewayError('MR_TOO_MANY_CLIENTS')));
      return;
    }
    this.#entering++;
    void this.#enter(socket)
      .catch((error: unknown) => {
        this.#options.log.error({ error }, 'a login at the DSQL endpoint failed');
        socket.destroy();
      })
      .finally(() => this.#entering--);
  }

  async #enter(socket: Socket): Promise<void> {
    const admitted = await admit(socket, this.#options);
    if (admitted === null) return;
    const { cluster } = admitted;
    try {
      const settings = await cluster.introduce(admitted);
      this.#welcome(admitted, settings);
    } catch (error) {
      cluster.quota.leave();
      this.#turnAway(admitted, error);
    }
  }

  #welcome(admitted: Admitted<Cluster>, settings: ReadonlyMap<string, string>): void {
    const { cluster, role, principal, socket, leftover } = admitted;
    const { log } = this.#options;
    const port = new ClientPort(socket, leftover);
    const identity = cluster.newIdentity();
    port.send(encodeAuthenticationOk());
    port.send(encodeWelcome(toldParameters(role, settings), (_, value) => value, identity));
    port.flush();
    log.debug({ cluster: cluster.record.id, role, principal: principal.arn }, 'a client is in');
    void cluster.serve({ role, principal, settings }, port).finally(() => cluster.quota.leave());
  }

  #turnAway({ socket, role, cluster }: Admitted<Cluster>, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const hint = error instanceof DsqlError ? error.hint : '';
    const fields = { cluster: cluster.record.id, role, hint };
    this.#options.log.info(fields, `client turned away: ${reason}`);
    closeGently(socket, lastWords(error));
  }
}

function lastWords(error: unknown): Buffer {
  if (error instanceof DsqlError) return error.encode('FATAL');
  if (error instanceof ServerError) {
    const { sqlstate, message, detail, hint } = error.fields;
    return new DsqlError(sqlstate, message, { detail, hint }).encode('FATAL');
  }
  return encodeGatewayError(GatewayError.from(error));
}
