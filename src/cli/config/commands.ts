/** `millrace config …`: what each command takes and does. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { ApiClient, type Configuration } from './api-client.ts';
import { endpointArgs, withEndpoint } from './endpoint-options.ts';
import { configurationBody, originArgs } from './origin-options.ts';
import { json, listing, table, wranglerSnippet } from './print.ts';

const jsonArg = { type: 'boolean', description: 'Print JSON instead of text for people' } as const;
const idArg = {
  type: 'positional',
  required: true,
  description: 'Id or name of the configuration',
} as const;

export const configCreateArgs = {
  name: {
    type: 'positional',
    required: true,
    description: 'Name of the configuration: what clients give as database name',
  },
  ...originArgs,
  ...endpointArgs,
  binding: {
    type: 'string',
    valueHint: 'name',
    description: 'Name of the binding in the snippet for wrangler.jsonc. Without it HYPERDRIVE',
  },
  json: jsonArg,
} as const satisfies ArgsDef;

export const configListArgs = { json: jsonArg } as const satisfies ArgsDef;
export const configGetArgs = { id: idArg, json: jsonArg } as const satisfies ArgsDef;
export const configUpdateArgs = {
  id: idArg,
  name: { type: 'string', valueHint: 'name', description: 'The new name' },
  ...originArgs,
  json: jsonArg,
} as const satisfies ArgsDef;
export const configDeleteArgs = { id: idArg } as const satisfies ArgsDef;
export const configRestartArgs = { id: idArg, json: jsonArg } as const satisfies ArgsDef;
export const configTestArgs = { id: idArg, json: jsonArg } as const satisfies ArgsDef;

type Credential = { readonly user: string; readonly connection_string: string };

function describe(one: Configuration): string {
  const { origin, millrace } = one;
  return listing([
    ['id', one.id],
    ['name', one.name],
    ['origin', `${origin.user}@${origin.host}:${origin.port}/${origin.database}`],
    ['caching', JSON.stringify(one.caching)],
    ['mtls', JSON.stringify(one.mtls)],
    ['connections', `at most ${one.origin_connection_limit}`],
    ['kept in', millrace.served ? millrace.source : `${millrace.source}, not served`],
  ]);
}

export function configCreateCommand(terminal: Terminal): CommandDef<typeof configCreateArgs> {
  return defineCommand({
    meta: {
      name: 'config create',
      description: 'Make a configuration, after connecting to its origin, and a first credential',
    },
    args: configCreateArgs,
    run: async ({ args }) => {
      const client = new ApiClient(terminal.env);
      const origin = await withEndpoint(args, terminal);
      const body = { name: args.name, ...configurationBody(origin, terminal) };
      const made = await client.call<Configuration>('POST', '', body);
      const credential = await client.call<Credential>('POST', `/${made.id}/credentials`);
      const { connection_string: url } = credential;
      if (args.json === true) {
        terminal.out(json({ ...made, credential }));
        return 0;
      }
      terminal.out(`${describe(made)}\nClients connect with this, which is shown only once:\n\n`);
      terminal.out(`  ${url}\n\nFor wrangler.jsonc:\n\n`);
      terminal.out(wranglerSnippet(args.binding ?? 'HYPERDRIVE', made.id, url));
      return 0;
    },
  });
}

export function configListCommand(terminal: Terminal): CommandDef<typeof configListArgs> {
  return defineCommand({
    meta: { name: 'config list', description: 'List the configurations of the file and the store' },
    args: configListArgs,
    run: async ({ args }) => {
      const all = await new ApiClient(terminal.env).list();
      if (args.json === true) {
        terminal.out(json(all));
        return 0;
      }
      const head = ['ID', 'NAME', 'USER', 'HOST', 'PORT', 'DATABASE', 'LIMIT', 'KEPT IN'];
      const rows = all.map(({ id, name, origin, origin_connection_limit: limit, millrace }) => [
        id,
        name,
        origin.user,
        origin.host,
        String(origin.port),
        origin.database,
        String(limit),
        millrace.served ? millrace.source : `${millrace.source}, not served`,
      ]);
      terminal.out(table(head, rows));
      return 0;
    },
  });
}

export function configGetCommand(terminal: Terminal): CommandDef<typeof configGetArgs> {
  return defineCommand({
    meta: { name: 'config get', description: 'Show a configuration' },
    args: configGetArgs,
    run: async ({ args }) => {
      const client = new ApiClient(terminal.env);
      const found = await client.call<Configuration>('GET', `/${await client.idOf(args.id)}`);
      terminal.out(args.json === true ? json(found) : describe(found));
      return 0;
    },
  });
}

export function configUpdateCommand(terminal: Terminal): CommandDef<typeof configUpdateArgs> {
  return defineCommand({
    meta: { name: 'config update', description: 'Change a part of a configuration' },
    args: configUpdateArgs,
    run: async ({ args }) => {
      const change = configurationBody(args, terminal);
      const body = args.name === undefined ? change : { name: args.name, ...change };
      if (Object.keys(body).length === 0) throw usageError('nothing to change', 'config update');
      const client = new ApiClient(terminal.env);
      const id = await client.idOf(args.id);
      const changed = await client.call<Configuration>('PATCH', `/${id}`, body);
      terminal.out(args.json === true ? json(changed) : describe(changed));
      return 0;
    },
  });
}

export function configDeleteCommand(terminal: Terminal): CommandDef<typeof configDeleteArgs> {
  return defineCommand({
    meta: { name: 'config delete', description: 'Delete a configuration and its credentials' },
    args: configDeleteArgs,
    run: async ({ args }) => {
      const client = new ApiClient(terminal.env);
      const id = await client.idOf(args.id);
      await client.call<null>('DELETE', `/${id}`);
      terminal.err(`deleted ${id}\n`);
      return 0;
    },
  });
}

export function configRestartCommand(terminal: Terminal): CommandDef<typeof configRestartArgs> {
  return defineCommand({
    meta: { name: 'config restart', description: 'Replace the connections to the origin' },
    args: configRestartArgs,
    run: async ({ args }) => {
      const client = new ApiClient(terminal.env);
      const id = await client.idOf(args.id);
      const found = await client.call<Configuration>('POST', `/${id}/restart`);
      terminal.out(args.json === true ? json(found) : describe(found));
      return 0;
    },
  });
}

type TestResult = {
  readonly connect_ms: number;
  readonly query_ms: number;
  readonly encrypted: boolean;
  readonly server_version: string | null;
};

export function configTestCommand(terminal: Terminal): CommandDef<typeof configTestArgs> {
  return defineCommand({
    meta: { name: 'config test', description: 'Connect to the origin and run an empty query' },
    args: configTestArgs,
    run: async ({ args }) => {
      const client = new ApiClient(terminal.env);
      const id = await client.idOf(args.id);
      const result = await client.call<TestResult>('POST', `/${id}/test`);
      const text = listing([
        ['connected in', `${result.connect_ms} ms`],
        ['round trip', `${result.query_ms} ms`],
        ['TLS', result.encrypted ? 'yes' : 'no'],
        ['server', result.server_version ?? 'unknown'],
      ]);
      terminal.out(args.json === true ? json(result) : text);
      return 0;
    },
  });
}
