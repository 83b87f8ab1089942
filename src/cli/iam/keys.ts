/** `millrace iam key …`: the access keys of users. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { json, listing } from '../config/print.ts';
import type { Terminal } from '../terminal.ts';
import { AccountClient, accountArgs, jsonArg, printList, segment } from './shared.ts';

type Key = { readonly id: string; readonly status: string; readonly created_on: string };
type Minted = Key & { readonly secret_access_key: string };

const user = { type: 'positional', required: true, description: 'Name of the user' } as const;
const key = { type: 'positional', required: true, description: 'Id of the key' } as const;

export const keyCreateArgs = { user, ...accountArgs, json: jsonArg } as const satisfies ArgsDef;
export const keyListArgs = { user, ...accountArgs, json: jsonArg } as const satisfies ArgsDef;
export const keyChangeArgs = { user, key, ...accountArgs } as const satisfies ArgsDef;

const pathOf = (name: string): string => `/iam/users/${segment(name)}/keys`;

export function keyCreateCommand(terminal: Terminal): CommandDef<typeof keyCreateArgs> {
  return defineCommand({
    meta: { name: 'iam key create', description: 'Mint a key; its secret is shown only once' },
    args: keyCreateArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      const minted = await client.call<Minted>('POST', pathOf(args.user));
      const text = listing([
        ['access key id', minted.id],
        ['secret access key, shown only once', minted.secret_access_key],
      ]);
      terminal.out(args.json === true ? json(minted) : text);
      return 0;
    },
  });
}

export function keyListCommand(terminal: Terminal): CommandDef<typeof keyListArgs> {
  return defineCommand({
    meta: { name: 'iam key list', description: 'List the keys of a user, without secrets' },
    args: keyListArgs,
    run: async ({ args }) => {
      const all = await new AccountClient(args, terminal).call<Key[]>('GET', pathOf(args.user));
      const rows = all.map(({ id, status, created_on: made }) => [id, status, made]);
      return printList(terminal, args.json, all, ['ID', 'STATUS', 'MADE'], rows);
    },
  });
}

/** One that changes a key, and prints what it did. */
function changeCommand(
  terminal: Terminal,
  verb: string,
  description: string,
  method: string,
  body?: object,
): CommandDef<typeof keyChangeArgs> {
  return defineCommand({
    meta: { name: `iam key ${verb}`, description },
    args: keyChangeArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      await client.call<null>(method, `${pathOf(args.user)}/${segment(args.key)}`, body);
      terminal.err(`${verb}d ${args.key}\n`);
      return 0;
    },
  });
}

export const keyActivateCommand = (terminal: Terminal) =>
  changeCommand(terminal, 'activate', 'Switch a key on', 'PUT', { status: 'Active' });

export const keyDeactivateCommand = (terminal: Terminal) =>
  changeCommand(terminal, 'deactivate', 'Switch a key off', 'PUT', { status: 'Inactive' });

export const keyDeleteCommand = (terminal: Terminal) =>
  changeCommand(terminal, 'delete', 'Delete a key', 'DELETE');
