/** `millrace cluster …`: the clusters of the DSQL endpoint. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { json, listing } from '../config/print.ts';
import { readSecret } from '../config/secret-options.ts';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { AccountClient, accountArgs, jsonArg, printList, segment } from './shared.ts';

type Cluster = {
  readonly id: string;
  readonly arn: string;
  readonly endpoint: string;
  readonly status: string;
  readonly deletion_protection: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly origin: string;
};

const id = { type: 'positional', required: true, description: 'Id of the cluster' } as const;

export const clusterCreateArgs = {
  'origin-urls': {
    type: 'string',
    valueHint: 'urls',
    description:
      'PostgreSQL servers of one database, as URLs with spaces between, or file:PATH, env:NAME ' +
      'or - for where they are. Without it an embedded one',
  },
  tags: { type: 'string', valueHint: 'k=v,k=v', description: 'Tags of the cluster' },
  'deletion-protection': { type: 'boolean', description: 'Refuse to delete it' },
  ...accountArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const clusterListArgs = { ...accountArgs, json: jsonArg } as const satisfies ArgsDef;
export const clusterGetArgs = { id, ...accountArgs, json: jsonArg } as const satisfies ArgsDef;
export const clusterDeleteArgs = { id, ...accountArgs } as const satisfies ArgsDef;

const PATH = '/dsql/clusters';

function describe(cluster: Cluster): string {
  return listing([
    ['id', cluster.id],
    ['endpoint', cluster.endpoint],
    ['arn', cluster.arn],
    ['status', cluster.status],
    ['deletion protection', cluster.deletion_protection ? 'on' : 'off'],
    ['tags', JSON.stringify(cluster.tags)],
    ['PostgreSQL below', cluster.origin],
  ]);
}

function readTags(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const equals = pair.indexOf('=');
    if (equals < 1) throw usageError('--tags must be key=value pairs with commas between');
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const;
  });
  return Object.fromEntries(pairs);
}

export function clusterCreateCommand(terminal: Terminal): CommandDef<typeof clusterCreateArgs> {
  return defineCommand({
    meta: { name: 'cluster create', description: 'Make a cluster of the DSQL endpoint' },
    args: clusterCreateArgs,
    run: async ({ args }) => {
      const { 'origin-urls': urls, tags } = args;
      const body = {
        ...(urls === undefined
          ? {}
          : { origin_urls: readSecret(urls, '--origin-urls', terminal).trim().split(/\s+/) }),
        ...(tags === undefined ? {} : { tags: readTags(tags) }),
        deletion_protection: args['deletion-protection'] === true,
      };
      const made = await new AccountClient(args, terminal).call<Cluster>('POST', PATH, body);
      terminal.out(args.json === true ? json(made) : describe(made));
      return 0;
    },
  });
}

export function clusterListCommand(terminal: Terminal): CommandDef<typeof clusterListArgs> {
  return defineCommand({
    meta: { name: 'cluster list', description: 'List the clusters of the DSQL endpoint' },
    args: clusterListArgs,
    run: async ({ args }) => {
      const all = await new AccountClient(args, terminal).call<Cluster[]>('GET', PATH);
      const head = ['ID', 'STATUS', 'ENDPOINT', 'POSTGRESQL'];
      const rows = all.map((one) => [one.id, one.status, one.endpoint, one.origin]);
      return printList(terminal, args.json, all, head, rows);
    },
  });
}

export function clusterGetCommand(terminal: Terminal): CommandDef<typeof clusterGetArgs> {
  return defineCommand({
    meta: { name: 'cluster get', description: 'Show a cluster' },
    args: clusterGetArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      const found = await client.call<Cluster>('GET', `${PATH}/${segment(args.id)}`);
      terminal.out(args.json === true ? json(found) : describe(found));
      return 0;
    },
  });
}

export function clusterDeleteCommand(terminal: Terminal): CommandDef<typeof clusterDeleteArgs> {
  return defineCommand({
    meta: {
      name: 'cluster delete',
      description: 'Delete a cluster, with the data of an embedded one',
    },
    args: clusterDeleteArgs,
    run: async ({ args }) => {
      const client = new AccountClient(args, terminal);
      await client.call<null>('DELETE', `${PATH}/${segment(args.id)}`);
      terminal.err(`deleting ${args.id}\n`);
      return 0;
    },
  });
}
