/** `millrace iam user …` and `millrace iam role …`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { json, listing } from '../config/print.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { AccountClient, accountArgs, jsonArg, printList, readDocument, segment } from './shared.ts';

type User = { readonly name: string; readonly arn: string; readonly created_on: string };
type Role = User & { readonly trust_policy: object; readonly max_session_duration: number };

const userName = { type: 'positional', required: true, description: 'Name of the user' } as const;
const roleName = { type: 'positional', required: true, description: 'Name of the role' } as const;

export const userCreateArgs = {
  name: userName,
  ...accountArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const principalListArgs = { ...accountArgs, json: jsonArg } as const satisfies ArgsDef;
export const userDeleteArgs = { name: userName, ...accountArgs } as const satisfies ArgsDef;
export const roleCreateArgs = {
  name: roleName,
  'trust-policy': {
    type: 'string',
    required: true,
    valueHint: 'json',
    description: 'Who may assume it: JSON, or file:PATH, env:NAME or - for where that is',
  },
  'max-session-duration': {
    type: 'string',
    valueHint: 'seconds',
    description: 'How long its sessions may last. Without it an hour',
  },
  ...accountArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const roleGetArgs = {
  name: roleName,
  ...accountArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const roleDeleteArgs = { name: roleName, ...accountArgs } as const satisfies ArgsDef;

const describe = ({ name, arn, created_on: made }: User): string =>
  listing([
    ['name', name],
    ['arn', arn],
    ['made', made],
  ]);

const describeRole = (role: Role): string =>
  `${describe(role)}${listing([
    ['sessions', `at most ${role.max_session_duration} s`],
    ['trust policy', JSON.stringify(role.trust_policy)],
  ])}`;

export function userCreateCommand(terminal: Terminal): CommandDef<typeof userCreateArgs> {
  return defineCommand({
    meta: { name: 'iam user create', description: 'Make a user, who may do nothing at first' },
    args: userCreateArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      const made = await client.call<User>('POST', '/iam/users', { name: args.name });
      terminal.out(args.json === true ? json(made) : describe(made));
      return 0;
    },
  });
}

/** The same for both kinds. */
function listCommand(
  terminal: Terminal,
  kind: 'user' | 'role',
): CommandDef<typeof principalListArgs> {
  return defineCommand({
    meta: { name: `iam ${kind} list`, description: `List the ${kind}s of an account` },
    args: principalListArgs,
    run: async ({ args }) => {
      const all = await new AccountClient(args, terminal).call<User[]>('GET', `/iam/${kind}s`);
      const rows = all.map(({ name, arn, created_on: made }) => [name, arn, made]);
      return printList(terminal, args.json, all, ['NAME', 'ARN', 'MADE'], rows);
    },
  });
}

export const userListCommand = (terminal: Terminal) => listCommand(terminal, 'user');
export const roleListCommand = (terminal: Terminal) => listCommand(terminal, 'role');

export function userDeleteCommand(terminal: Terminal): CommandDef<typeof userDeleteArgs> {
  return defineCommand({
    meta: { name: 'iam user delete', description: 'Delete a user with keys and policies' },
    args: userDeleteArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      await client.call<null>('DELETE', `/iam/users/${segment(args.name)}`);
      terminal.err(`deleted ${args.name}\n`);
      return 0;
    },
  });
}

export function roleCreateCommand(terminal: Terminal): CommandDef<typeof roleCreateArgs> {
  return defineCommand({
    meta: { name: 'iam role create', description: 'Make a role that others may assume' },
    args: roleCreateArgs,
    run: async ({ args }) => {
      const seconds = args['max-session-duration'];
      if (seconds !== undefined && !/^\d{1,6}$/.test(seconds)) {
        throw usageError('--max-session-duration must be a whole number of seconds');
      }
      const trust_policy = readDocument(args['trust-policy'], '--trust-policy', terminal);
      const limit = seconds === undefined ? {} : { max_session_duration: Number(seconds) };
      const client = new AccountClient(args, terminal);
      const body = { name: args.name, trust_policy, ...limit };
      const made = await client.call<Role>('POST', '/iam/roles', body);
      terminal.out(args.json === true ? json(made) : describeRole(made));
      return 0;
    },
  });
}

export function roleGetCommand(terminal: Terminal): CommandDef<typeof roleGetArgs> {
  return defineCommand({
    meta: { name: 'iam role get', description: 'Show a role with its trust policy' },
    args: roleGetArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      const found = await client.call<Role>('GET', `/iam/roles/${segment(args.name)}`);
      terminal.out(args.json === true ? json(found) : describeRole(found));
      return 0;
    },
  });
}

export function roleDeleteCommand(terminal: Terminal): CommandDef<typeof roleDeleteArgs> {
  return defineCommand({
    meta: { name: 'iam role delete', description: 'Delete a role with policies and sessions' },
    args: roleDeleteArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      await client.call<null>('DELETE', `/iam/roles/${segment(args.name)}`);
      terminal.err(`deleted ${args.name}\n`);
      return 0;
    },
  });
}
