/** What the commands of identities and clusters have in common. */
import type { ArgsDef } from 'citty';
import { ACCOUNT_ID } from '../../aws/arn.ts';
import { AWS_ACCOUNT_DEFAULT } from '../../control/aws/aws-plane.ts';
import { ApiClient } from '../config/api-client.ts';
import { json, table } from '../config/print.ts';
import { readSecret } from '../config/secret-options.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';

export const jsonArg = {
  type: 'boolean',
  description: 'Print JSON instead of text for people',
} as const;

export const accountArgs = {
  'account-id': {
    type: 'string',
    valueHint: 'digits',
    description: `Account of the identities and clusters. Without it ${AWS_ACCOUNT_DEFAULT}`,
  },
} as const satisfies ArgsDef;

export type AccountArgs = { readonly 'account-id'?: string | undefined };

/** The API below the account that is meant. */
export class AccountClient {
  readonly #client: ApiClient;
  readonly #account: string;

  /** @throws GatewayError `MR_USAGE`, `MR_API_UNKNOWN` */
  constructor(args: AccountArgs, terminal: Terminal) {
    const account = args['account-id'] ?? AWS_ACCOUNT_DEFAULT;
    if (!ACCOUNT_ID.test(account)) throw usageError('--account-id must be twelve digits');
    this.#account = account;
    this.#client = new ApiClient(terminal.env);
  }

  /** @param path below the account, encoded */
  call<T>(method: string, path: string, body?: object): Promise<T> {
    return this.#client.callIn<T>(this.#account, method, path, body);
  }
}

/** A name as part of a path. */
export const segment = (name: string): string => encodeURIComponent(name);

/** A list as JSON or as a table; the exit code. */
export function printList(
  terminal: Terminal,
  isJson: boolean | undefined,
  all: readonly object[],
  head: readonly string[],
  rows: readonly (readonly string[])[],
): number {
  terminal.out(isJson === true ? json(all) : table(head, rows));
  return 0;
}

/**
 * A policy, given as JSON or by where it is.
 * @throws GatewayError `MR_USAGE`
 */
export function readDocument(text: string, option: string, terminal: Terminal): object {
  const found = readSecret(text, option, terminal);
  try {
    const document: unknown = JSON.parse(found);
    if (typeof document === 'object' && document !== null && !Array.isArray(document)) {
      return document;
    }
  } catch {
    // Told below like anything else that is no object.
  }
  throw usageError(`${option} must be a JSON object, or file:PATH, env:NAME or - for where it is`);
}
