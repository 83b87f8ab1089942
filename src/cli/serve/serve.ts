/** `millrace serve`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Terminal } from '../terminal.ts';
import { parseWorkers } from '../usage.ts';

export const serveArgs = {
  config: {
    type: 'string',
    valueHint: 'file',
    required: true,
    description: 'The configuration file; it is read again when it changes, and on SIGHUP',
  },
  workers: {
    type: 'string',
    valueHint: 'auto|number',
    description: 'Processes that serve clients, instead of what the file says',
  },
} as const satisfies ArgsDef;

export function serveCommand(terminal: Terminal): CommandDef<typeof serveArgs> {
  return defineCommand({
    meta: { name: 'serve', description: 'Run the gateway as a configuration file says' },
    args: serveArgs,
    run: async ({ args }) => {
      const { runServe } = await import('./serve-program.ts');
      const workers = args.workers === undefined ? null : parseWorkers(args.workers, 'serve');
      return runServe(args.config, workers, terminal);
    },
  });
}
