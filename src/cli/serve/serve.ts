/** `millrace serve`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Terminal } from '../terminal.ts';

export const serveArgs = {
  config: {
    type: 'string',
    valueHint: 'file',
    required: true,
    description: 'The configuration file; it is read again when it changes, and on SIGHUP',
  },
} as const satisfies ArgsDef;

export function serveCommand(terminal: Terminal): CommandDef<typeof serveArgs> {
  return defineCommand({
    meta: { name: 'serve', description: 'Run the gateway as a configuration file says' },
    args: serveArgs,
    run: async ({ args }) => {
      const { runServe } = await import('./serve-program.ts');
      return runServe(args.config, terminal);
    },
  });
}
