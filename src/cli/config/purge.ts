/** `millrace config purge`: has the query cache forget answers. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { usageError } from '../failure.ts';
import type { Terminal } from '../terminal.ts';
import { ApiClient } from './api-client.ts';
import { json } from './print.ts';

export const configPurgeArgs = {
  id: { type: 'positional', required: true, description: 'Id or name of the configuration' },
  table: {
    type: 'string',
    valueHint: 'name',
    description: 'Only answers read from it: table, or schema.table',
  },
  statement: {
    type: 'string',
    valueHint: 'sql',
    description: 'Only answers to this text, whatever its parameters',
  },
  json: { type: 'boolean', description: 'Print JSON instead of text for people' },
} as const satisfies ArgsDef;

type Purged = { readonly purged: number };

export function configPurgeCommand(terminal: Terminal): CommandDef<typeof configPurgeArgs> {
  return defineCommand({
    meta: { name: 'config purge', description: 'Forget answers of the query cache' },
    args: configPurgeArgs,
    run: async ({ args }) => {
      const { table, statement } = args;
      if (table !== undefined && statement !== undefined) {
        throw usageError('--table and --statement exclude each other', 'config purge');
      }
      const client = new ApiClient(terminal.env);
      const body = {
        ...(table === undefined ? {} : { table }),
        ...(statement === undefined ? {} : { statement }),
      };
      const path = `/${await client.idOf(args.id)}/purge`;
      const result = await client.call<Purged>('POST', path, body);
      terminal.out(args.json === true ? json(result) : `${result.purged} answers forgotten\n`);
      return 0;
    },
  });
}
