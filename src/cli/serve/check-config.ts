/** `millrace check-config`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { loadConfig } from '../../config/load.ts';
import type { Terminal } from '../terminal.ts';

export const checkConfigArgs = {
  file: { type: 'positional', required: true, description: 'The configuration file' },
} as const satisfies ArgsDef;

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

export function checkConfigCommand(terminal: Terminal): CommandDef<typeof checkConfigArgs> {
  return defineCommand({
    meta: {
      name: 'check-config',
      description: 'Check a configuration file and the files it names, and do nothing else',
    },
    args: checkConfigArgs,
    run: async ({ args }) => {
      const { config, warnings } = await loadConfig(args.file, terminal.env);
      for (const warning of warnings) terminal.err(`millrace: warning: ${warning}\n`);
      const listeners = counted(config.listeners.length, 'listener');
      const configurations = counted(config.configurations.length, 'configuration');
      terminal.out(`${args.file}: valid, ${listeners}, ${configurations}\n`);
      return 0;
    },
  });
}
