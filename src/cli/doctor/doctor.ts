/** `millrace doctor`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Terminal } from '../terminal.ts';

export const doctorArgs = {
  url: {
    type: 'positional',
    required: true,
    description: 'The database, as a connection string; or env:NAME, file:PATH, -',
  },
  json: { type: 'boolean', description: 'Print JSON instead of text for people' },
} as const satisfies ArgsDef;

export function doctorCommand(terminal: Terminal): CommandDef<typeof doctorArgs> {
  return defineCommand({
    meta: {
      name: 'doctor',
      description:
        'Look at a database that the gateway is to use, and say what to do about what is wrong',
    },
    args: doctorArgs,
    run: async ({ args }) => {
      const { runDoctor } = await import('./doctor-program.ts');
      return runDoctor(args, terminal);
    },
  });
}
