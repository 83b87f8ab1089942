/** `millrace iam policy …`: what users and roles may do. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { json } from '../config/print.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { AccountClient, accountArgs, jsonArg, printList, readDocument, segment } from './shared.ts';

type Policy = {
  readonly name: string;
  readonly document: object;
  readonly modified_on: string;
};

const ownerArgs = {
  user: { type: 'string', valueHint: 'name', description: 'The user whose policy it is' },
  role: { type: 'string', valueHint: 'name', description: 'The role whose policy it is' },
} as const satisfies ArgsDef;
const policy = { type: 'positional', required: true, description: 'Name of the policy' } as const;

export const policyPutArgs = {
  policy,
  ...ownerArgs,
  document: {
    type: 'string',
    required: true,
    valueHint: 'json',
    description: 'What is allowed and denied: JSON, or file:PATH, env:NAME or - for where that is',
  },
  ...accountArgs,
} as const satisfies ArgsDef;
export const policyListArgs = {
  ...ownerArgs,
  ...accountArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const policyGetArgs = { policy, ...ownerArgs, ...accountArgs } as const satisfies ArgsDef;
export const policyDeleteArgs = { policy, ...ownerArgs, ...accountArgs } as const satisfies ArgsDef;

type Owner = { readonly user?: string | undefined; readonly role?: string | undefined };

function pathOf({ user, role }: Owner): string {
  if (user !== undefined && role === undefined) return `/iam/users/${segment(user)}/policies`;
  if (role !== undefined && user === undefined) return `/iam/roles/${segment(role)}/policies`;
  throw usageError('either --user or --role says whose policy it is');
}

export function policyPutCommand(terminal: Terminal): CommandDef<typeof policyPutArgs> {
  return defineCommand({
    meta: { name: 'iam policy put', description: 'Write a policy into a user or a role' },
    args: policyPutArgs,
    run: async ({ args }) => {
      const path = `${pathOf(args)}/${segment(args.policy)}`;
      const document = readDocument(args.document, '--document', terminal);
      await new AccountClient(args, terminal).call<null>('PUT', path, { document });
      terminal.err(`written ${args.policy}\n`);
      return 0;
    },
  });
}

export function policyListCommand(terminal: Terminal): CommandDef<typeof policyListArgs> {
  return defineCommand({
    meta: { name: 'iam policy list', description: 'List the policies of a user or a role' },
    args: policyListArgs,
    run: async ({ args }) => {
      const path = pathOf(args);
      const all = await new AccountClient(args, terminal).call<Policy[]>('GET', path);
      const rows = all.map(({ name, modified_on: changed }) => [name, changed]);
      return printList(terminal, args.json, all, ['NAME', 'CHANGED'], rows);
    },
  });
}

export function policyGetCommand(terminal: Terminal): CommandDef<typeof policyGetArgs> {
  return defineCommand({
    meta: { name: 'iam policy get', description: 'Print a policy of a user or a role as JSON' },
    args: policyGetArgs,
    run: async ({ args }) => {
      const path = pathOf(args);
      const all = await new AccountClient(args, terminal).call<Policy[]>('GET', path);
      const found = all.find(({ name }) => name === args.policy);
      if (found === undefined) throw usageError('there is no policy of that name');
      terminal.out(json(found.document));
      return 0;
    },
  });
}

export function policyDeleteCommand(terminal: Terminal): CommandDef<typeof policyDeleteArgs> {
  return defineCommand({
    meta: { name: 'iam policy delete', description: 'Delete a policy of a user or a role' },
    args: policyDeleteArgs,
    run: async ({ args }) => {
      const path = `${pathOf(args)}/${segment(args.policy)}`;
      await new AccountClient(args, terminal).call<null>('DELETE', path);
      terminal.err(`deleted ${args.policy}\n`);
      return 0;
    },
  });
}
