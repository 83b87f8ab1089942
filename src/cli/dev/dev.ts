/** `millrace dev`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Terminal } from '../terminal.ts';
import { devOptions } from './dev-options.ts';

export const devArgs = {
  port: {
    type: 'string',
    valueHint: 'port',
    description:
      'Port of the gateway; 0 picks a free one. Without this option 5432, or the next free one',
  },
  origin: {
    type: 'string',
    valueHint: 'url',
    description: 'Use the database at this postgres:// URL instead of the embedded one',
  },
  'data-dir': {
    type: 'string',
    valueHint: 'directory',
    description: 'Where the embedded PostgreSQL keeps its data. Without this option .millrace',
  },
  ephemeral: {
    type: 'boolean',
    description: 'Keep nothing: the embedded PostgreSQL starts empty and is removed at the end',
  },
  like: {
    type: 'string',
    valueHint: 'aurora',
    description:
      'Run a stand-in for an Aurora cluster instead of a single PostgreSQL: a writer and two ' +
      'readers, with endpoint names, failovers and late DNS; keeps nothing',
  },
  store: {
    type: 'string',
    valueHint: 'url',
    description:
      'Keep what the API manages in the database at this postgres:// URL instead of the embedded ' +
      'PostgreSQL; with --origin or --like there is an API only with this option',
  },
  workers: {
    type: 'string',
    valueHint: 'auto|number',
    description: 'Processes that serve clients, auto for one on each core. Without this option 1',
  },
  dsql: {
    type: 'boolean',
    default: true,
    description: 'Run a DSQL endpoint with one cluster as well; there is one with a store only',
    negativeDescription: 'Run no DSQL endpoint',
  },
  'dsql-port': {
    type: 'string',
    valueHint: 'port',
    description:
      'Port of the DSQL endpoint at 127.0.0.2; 0 picks a free one. Without this option 5432, or ' +
      'the next free one',
  },
  json: {
    type: 'boolean',
    description: 'Print one line of JSON on standard output when ready, all else on standard error',
  },
} as const satisfies ArgsDef;

export function devCommand(terminal: Terminal): CommandDef<typeof devArgs> {
  return defineCommand({
    meta: {
      name: 'dev',
      description: 'Run a PostgreSQL with a demo database, and the gateway in front of it',
    },
    args: devArgs,
    run: async ({ args }) => {
      const options = devOptions(args);
      // Loaded here, so that help and a mistake on the command line answer at once.
      const { runDev } = await import('./dev-program.ts');
      return runDev(options, terminal);
    },
  });
}
