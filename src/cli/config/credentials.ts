/** `millrace config credentials`: list, mint, rotate, revoke. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { ApiClient } from './api-client.ts';
import { json, listing, table } from './print.ts';

export const configCredentialsArgs = {
  id: { type: 'positional', required: true, description: 'Id or name of the configuration' },
  mint: { type: 'boolean', description: 'Mint a credential; its password is shown only once' },
  user: { type: 'string', valueHint: 'name', description: 'Its user, with --mint' },
  rotate: {
    type: 'string',
    valueHint: 'credential',
    description: 'Mint a successor of the credential with this id',
  },
  overlap: {
    type: 'string',
    valueHint: 'seconds',
    description: 'How long the old one still lets clients in, with --rotate. Without it a day',
  },
  revoke: {
    type: 'string',
    valueHint: 'credential',
    description: 'Let nobody new in with the credential with this id',
  },
  json: { type: 'boolean', description: 'Print JSON instead of text for people' },
} as const satisfies ArgsDef;

type Listed = {
  readonly id: string | null;
  readonly user: string;
  readonly created_on: string | null;
  readonly expires_on: string | null;
};
type Minted = Listed & { readonly connection_string: string };

type Args = {
  readonly mint?: boolean | undefined;
  readonly user?: string | undefined;
  readonly rotate?: string | undefined;
  readonly overlap?: string | undefined;
  readonly revoke?: string | undefined;
};

function check({ mint, user, rotate, overlap, revoke }: Args): void {
  const command = 'config credentials';
  const actions = [mint === true, rotate !== undefined, revoke !== undefined].filter(Boolean);
  if (actions.length > 1)
    throw usageError('--mint, --rotate and --revoke exclude each other', command);
  if (user !== undefined && mint !== true) throw usageError('--user needs --mint', command);
  if (overlap !== undefined && rotate === undefined) {
    throw usageError('--overlap needs --rotate', command);
  }
  if (overlap !== undefined && !/^\d{1,9}$/.test(overlap)) {
    throw usageError('--overlap must be a whole number of seconds', command);
  }
}

/** The request that mints, or null when nothing is to be minted. */
function minting({ mint, user, rotate, overlap }: Args): { path: string; body: object } | null {
  if (mint === true) return { path: '', body: user === undefined ? {} : { user } };
  if (rotate === undefined) return null;
  const body = overlap === undefined ? {} : { overlap: Number(overlap) };
  return { path: `/${encodeURIComponent(rotate)}/rotate`, body };
}

export function configCredentialsCommand(
  terminal: Terminal,
): CommandDef<typeof configCredentialsArgs> {
  return defineCommand({
    meta: {
      name: 'config credentials',
      description: 'List the credentials of a configuration, or mint, rotate or revoke one',
    },
    args: configCredentialsArgs,
    run: async ({ args }) => {
      check(args);
      const client = new ApiClient(terminal.env);
      const place = `/${await client.idOf(args.id)}/credentials`;
      if (args.revoke !== undefined) {
        await client.call<null>('DELETE', `${place}/${encodeURIComponent(args.revoke)}`);
        terminal.err(`revoked ${args.revoke}\n`);
        return 0;
      }
      const request = minting(args);
      if (request !== null) {
        const minted = await client.call<Minted>('POST', place + request.path, request.body);
        const text = listing([
          ['id', minted.id ?? ''],
          ['user', minted.user],
          ['connection string, shown only once', minted.connection_string],
        ]);
        terminal.out(args.json === true ? json(minted) : text);
        return 0;
      }
      const all = await client.call<Listed[]>('GET', place);
      const head = ['ID', 'USER', 'MADE', 'ENDS'];
      const rows = all.map(({ id, user, created_on: made, expires_on: ends }) => [
        id ?? 'of the file',
        user,
        made ?? '',
        ends ?? '',
      ]);
      terminal.out(args.json === true ? json(all) : table(head, rows));
      return 0;
    },
  });
}
