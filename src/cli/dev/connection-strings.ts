/** Connection strings that a user can paste as they are. */
import { type AuroraReady, auroraText } from './aurora-report.ts';
import { type DsqlReady, dsqlText } from './dsql-report.ts';
import { shellQuote } from './shell-quote.ts';

export type ConnectionParts = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
};

/** A URL that libpq and every driver read; each part is percent-encoded. */
export function connectionUrl(parts: ConnectionParts): string {
  const host = parts.host.includes(':') ? `[${parts.host}]` : encodeURIComponent(parts.host);
  const password = parts.password === null ? '' : `:${encodeURIComponent(parts.password)}`;
  const user = encodeURIComponent(parts.user);
  const database = encodeURIComponent(parts.database);
  return `postgres://${user}${password}@${host}:${parts.port}/${database}`;
}

export type Ready = {
  readonly gateway: { readonly url: string; readonly host: string; readonly port: number };
  /** `adminUrl`: as superuser of the embedded PostgreSQL, null for a database of the user's. */
  readonly origin: { readonly url: string; readonly adminUrl: string | null };
  /** The cluster of `--like aurora`, or null. */
  readonly aurora: AuroraReady | null;
  /** The control API, or null when there is no store to manage. */
  readonly api: { readonly url: string; readonly token: string } | null;
  /** The DSQL endpoint, or null when there is none. */
  readonly dsql: DsqlReady | null;
};

/** The one line of `dev --json`. The order of the keys is part of the contract. */
export function readyJson({ gateway, origin, aurora, api, dsql }: Ready): string {
  const { url, host, port } = gateway;
  const { adminUrl } = origin;
  const originParts = adminUrl === null ? { url: origin.url } : { url: origin.url, adminUrl };
  const parts = {
    gateway: { url, host, port },
    origin: originParts,
    ...(aurora === null ? {} : { aurora }),
    ...(api === null ? {} : { api }),
    ...(dsql === null ? {} : { dsql }),
  };
  return `${JSON.stringify(parts)}\n`;
}

/**
 * What `dev` prints for people.
 * @param command how this program is called from any directory
 */
export function readyText(
  { gateway, origin, aurora, api, dsql }: Ready,
  paint: { bold(text: string): string; dim(text: string): string },
  command = 'millrace',
): string {
  const block = (title: string, url: string) => [
    paint.bold(title),
    `  psql ${shellQuote(url)}`,
    `  DATABASE_URL=${shellQuote(url)}`,
    '',
  ];
  return [
    '',
    ...block('Gateway', gateway.url),
    ...block('Origin, without the gateway', origin.url),
    ...(origin.adminUrl === null
      ? []
      : [paint.bold('Origin, as its superuser'), `  psql ${shellQuote(origin.adminUrl)}`, '']),
    ...(aurora === null ? [] : titled(auroraText(aurora), paint)),
    ...(dsql === null ? [] : titled(dsqlText({ ...dsql, command }), paint)),
    ...(api === null
      ? []
      : [
          paint.bold('Control API'),
          `  CLOUDFLARE_API_BASE_URL=${shellQuote(api.url)}`,
          `  CLOUDFLARE_API_TOKEN=${shellQuote(api.token)}`,
          '',
        ]),
    paint.dim('Ready. Ctrl-C stops it.'),
    '',
  ].join('\n');
}

function titled(
  [title, ...lines]: readonly [string, ...string[]],
  paint: { bold(text: string): string },
): string[] {
  return [paint.bold(title), ...lines, ''];
}
