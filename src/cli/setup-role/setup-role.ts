/** `millrace setup-role`. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Terminal } from '../terminal.ts';

export const setupRoleArgs = {
  url: {
    type: 'positional',
    required: true,
    description:
      'The database, as a connection string of somebody who may make roles; ' +
      'or env:NAME, file:PATH, -',
  },
  apply: { type: 'boolean', description: 'Run the SQL in one transaction, instead of printing it' },
  role: {
    type: 'string',
    valueHint: 'name',
    description: 'The role with the privileges. Without this option hyperdrive',
  },
  user: {
    type: 'string',
    valueHint: 'name',
    description: 'The role that logs in. Without this option hyperdrive_user',
  },
  password: {
    type: 'string',
    valueHint: 'password',
    description: 'Its password, or env:NAME, file:PATH. Without this option one is made up',
  },
  schemas: {
    type: 'string',
    valueHint: 'names',
    description: 'Schemas it may use, separated by commas. Without this option public',
  },
  'read-only': { type: 'boolean', description: 'It may read, and nothing else' },
  create: { type: 'boolean', description: 'It may also make tables in these schemas' },
  owner: {
    type: 'string',
    valueHint: 'role',
    description:
      'The role that will make further tables, which it may then use too. Without this option ' +
      'whoever runs the SQL',
  },
} as const satisfies ArgsDef;

export function setupRoleCommand(terminal: Terminal): CommandDef<typeof setupRoleArgs> {
  return defineCommand({
    meta: {
      name: 'setup-role',
      description: 'Print or run the SQL that gives the gateway roles of its own in a database',
    },
    args: setupRoleArgs,
    run: async ({ args }) => {
      const { runSetupRole } = await import('./setup-role-program.ts');
      return runSetupRole(args, terminal);
    },
  });
}
