/** Serves the API over HTTP, or HTTPS. */
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import { GatewayError } from '../../base/errors.ts';
import type { ControlContext } from '../context.ts';
import { endpoints } from '../endpoints/all.ts';
import { BASE_PATH, makeApp } from './app.ts';

const HEADERS_TIMEOUT_MS = 10_000;
/** Over a whole request; the answer may take as long as a connection to an origin. */
const REQUEST_TIMEOUT_MS = 30_000;
const CONNECTIONS_MAX = 1_000;
/** Requests that are being answered may end. */
const CLOSE_TIMEOUT_MS = 2_000;

export type ApiServerOptions = {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM texts, or null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly version: string;
};

export type ApiServer = {
  readonly address: string;
  readonly port: number;
  /** Ends with `/client/v4`, as `CLOUDFLARE_API_BASE_URL` takes it. */
  readonly url: string;
  close(): Promise<void>;
};

/** @throws GatewayError `MR_LISTEN_FAILED`, with the system's error as its cause */
export async function serveApi(
  context: ControlContext,
  options: ApiServerOptions,
): Promise<ApiServer> {
  const { address, tls } = options;
  const app = makeApp(endpoints, context, options.version);
  const listener: RequestListener = getRequestListener(app.fetch);
  const limits = { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS };
  const server =
    tls === null
      ? createHttpServer(limits, listener)
      : createHttpsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' }, listener);
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const subject = `${address}:${options.port} for the API`;
      reject(new GatewayError('MR_LISTEN_FAILED', { subject, cause }));
    });
    server.listen({ host: address, port: options.port }, resolve);
  });
  server.on('error', (error) => context.log.warn({ reason: error.message }, 'the API server'));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('a TCP listener has an address');
  const host = bound.address.includes(':') ? `[${bound.address}]` : bound.address;
  const scheme = tls === null ? 'http' : 'https';
  return {
    address: bound.address,
    port: bound.port,
    url: `${scheme}://${host}:${bound.port}${BASE_PATH}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), CLOSE_TIMEOUT_MS).unref();
      }),
  };
}
