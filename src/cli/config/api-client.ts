/** Talks to the API of a running Millrace, found by the environment or beside `millrace dev`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '../../base/errors.ts';
import { ACCOUNT_ID_DEFAULT } from '../../control/endpoints/identity.ts';
import type { Terminal } from '../terminal.ts';

/** As `millrace dev` leaves it; see its `dev-control`. */
const API_FILE = '.millrace/api.json';
/** A check of an origin may take 15 seconds. */
const REQUEST_TIMEOUT_MS = 30_000;
const PER_PAGE = 100;
/** Ten thousand configurations and those of the file. */
const PAGES_MAX = 300;

export type Configuration = {
  readonly id: string;
  readonly name: string;
  readonly origin: {
    readonly scheme: string;
    readonly host: string;
    readonly port: number;
    readonly database: string;
    readonly user: string;
  };
  readonly caching: { readonly disabled: boolean };
  readonly mtls: object;
  readonly origin_connection_limit: number;
  readonly millrace: { readonly source: string; readonly served: boolean };
};

type Envelope = {
  readonly success: boolean;
  readonly result: unknown;
  readonly errors: readonly { readonly code: number; readonly message: string }[];
};

type Target = {
  readonly url: string;
  readonly token: string;
  /** Where the token was found, for people. */
  readonly tokenFrom: string;
  readonly account: string;
};

function fromFile(directory: string): { url: string; token: string } | null {
  try {
    const parsed: unknown = JSON.parse(readFileSync(join(directory, API_FILE), 'utf8'));
    const { url, token } = parsed as { url?: unknown; token?: unknown };
    return typeof url === 'string' && typeof token === 'string' ? { url, token } : null;
  } catch {
    return null;
  }
}

const TOKEN_VARIABLES: readonly string[] = ['MILLRACE_API_TOKEN', 'CLOUDFLARE_API_TOKEN'];
const UNAUTHORIZED: ReadonlySet<number> = new Set([401, 403]);

/**
 * `MILLRACE_API_URL` and `MILLRACE_API_TOKEN`, or the variables that wrangler reads, or what
 * `millrace dev` left in this directory.
 */
function targetOf(env: Terminal['env'], directory: string): Target {
  const account = env['MILLRACE_ACCOUNT_ID'] || env['CLOUDFLARE_ACCOUNT_ID'] || ACCOUNT_ID_DEFAULT;
  const url = env['MILLRACE_API_URL'] || env['CLOUDFLARE_API_BASE_URL'];
  const tokenFrom = TOKEN_VARIABLES.find((name) => env[name]) ?? '';
  const token = env[tokenFrom];
  if (url && token) return { url, token, tokenFrom, account };
  const found = url ? null : fromFile(directory);
  if (found !== null) return { ...found, tokenFrom: join(directory, API_FILE), account };
  throw new GatewayError('MR_API_UNKNOWN');
}

export class ApiClient {
  readonly #target: Target;

  /** @throws GatewayError `MR_API_UNKNOWN` */
  constructor(env: Terminal['env'], directory = '.') {
    this.#target = targetOf(env, directory);
  }

  /**
   * @param path below `/hyperdrive/configs`
   * @throws GatewayError `MR_API_UNREACHABLE`, or `MR_API_REFUSED` with the reason of the API
   */
  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const { account } = this.#target;
    return await this.callIn<T>(account, method, `/hyperdrive/configs${path}`, body);
  }

  /** The same for any path below that of an account. */
  async callIn<T>(account: string, method: string, path: string, body?: object): Promise<T> {
    const { url, token, tokenFrom } = this.#target;
    const place = `${url}/accounts/${encodeURIComponent(account)}${path}`;
    const { status, success, result, errors } = await this.#fetch(place, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (success) return result as T;
    const reasons = errors.map(({ code, message }) => `${message} [code: ${code}]`).join('; ');
    const where = UNAUTHORIZED.has(status) ? `; the token is that of ${tokenFrom}` : '';
    throw new GatewayError('MR_API_REFUSED', { subject: `${reasons}${where}` });
  }

  async list(): Promise<Configuration[]> {
    const all: Configuration[] = [];
    for (let page = 1; page <= PAGES_MAX; page++) {
      const query = `?per_page=${PER_PAGE}&page=${page}`;
      const rows = await this.call<Configuration[]>('GET', query);
      all.push(...rows);
      if (rows.length < PER_PAGE) break;
    }
    return all;
  }

  /** The id of what a user names by its id or its name. */
  async idOf(named: string): Promise<string> {
    if (/^[0-9a-f]{32}$/.test(named)) return named;
    const found = (await this.list()).find(({ name }) => name === named);
    if (found !== undefined) return found.id;
    throw new GatewayError('MR_API_REFUSED', {
      subject: `there is no configuration named ${named}`,
    });
  }

  async #fetch(place: string, request: RequestInit): Promise<Envelope & { status: number }> {
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const response = await fetch(place, { ...request, signal });
      return { ...((await response.json()) as Envelope), status: response.status };
    } catch (cause) {
      const { origin } = new URL(this.#target.url);
      throw new GatewayError('MR_API_UNREACHABLE', { subject: origin, cause });
    }
  }
}
