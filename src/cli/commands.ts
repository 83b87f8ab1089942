/** The commands of `millrace`, by name. */
import {
  type ArgsDef,
  type CommandDef,
  type CommandMeta,
  defineCommand,
  renderUsage,
  runCommand,
} from 'citty';
import {
  configCreateArgs,
  configCreateCommand,
  configDeleteArgs,
  configDeleteCommand,
  configGetArgs,
  configGetCommand,
  configListArgs,
  configListCommand,
  configRestartArgs,
  configRestartCommand,
  configTestArgs,
  configTestCommand,
  configUpdateArgs,
  configUpdateCommand,
} from './config/commands.ts';
import { configCredentialsArgs, configCredentialsCommand } from './config/credentials.ts';
import { originAliases } from './config/origin-options.ts';
import { configPurgeArgs, configPurgeCommand } from './config/purge.ts';
import { devArgs, devCommand } from './dev/dev.ts';
import { doctorArgs, doctorCommand } from './doctor/doctor.ts';
import {
  clusterCreateArgs,
  clusterCreateCommand,
  clusterDeleteArgs,
  clusterDeleteCommand,
  clusterGetArgs,
  clusterGetCommand,
  clusterListArgs,
  clusterListCommand,
} from './iam/clusters.ts';
import {
  keyActivateCommand,
  keyChangeArgs,
  keyCreateArgs,
  keyCreateCommand,
  keyDeactivateCommand,
  keyDeleteCommand,
  keyListArgs,
  keyListCommand,
} from './iam/keys.ts';
import {
  policyDeleteArgs,
  policyDeleteCommand,
  policyGetArgs,
  policyGetCommand,
  policyListArgs,
  policyListCommand,
  policyPutArgs,
  policyPutCommand,
} from './iam/policies.ts';
import {
  principalListArgs,
  roleCreateArgs,
  roleCreateCommand,
  roleDeleteArgs,
  roleDeleteCommand,
  roleGetArgs,
  roleGetCommand,
  roleListCommand,
  userCreateArgs,
  userCreateCommand,
  userDeleteArgs,
  userDeleteCommand,
  userListCommand,
} from './iam/principals.ts';
import { checkConfigArgs, checkConfigCommand } from './serve/check-config.ts';
import { serveArgs, serveCommand } from './serve/serve.ts';
import { setupRoleArgs, setupRoleCommand } from './setup-role/setup-role.ts';
import type { Terminal } from './terminal.ts';
import { tokenArgs, tokenCommand } from './token/token.ts';

/** The options of each command: what is checked, shown as help and documented. */
export const commandArgs = {
  dev: devArgs,
  serve: serveArgs,
  'check-config': checkConfigArgs,
  token: tokenArgs,
  'config create': configCreateArgs,
  'config list': configListArgs,
  'config get': configGetArgs,
  'config update': configUpdateArgs,
  'config delete': configDeleteArgs,
  'config restart': configRestartArgs,
  'config test': configTestArgs,
  'config purge': configPurgeArgs,
  'config credentials': configCredentialsArgs,
  'iam user create': userCreateArgs,
  'iam user list': principalListArgs,
  'iam user delete': userDeleteArgs,
  'iam role create': roleCreateArgs,
  'iam role list': principalListArgs,
  'iam role get': roleGetArgs,
  'iam role delete': roleDeleteArgs,
  'iam key create': keyCreateArgs,
  'iam key list': keyListArgs,
  'iam key activate': keyChangeArgs,
  'iam key deactivate': keyChangeArgs,
  'iam key delete': keyChangeArgs,
  'iam policy put': policyPutArgs,
  'iam policy list': policyListArgs,
  'iam policy get': policyGetArgs,
  'iam policy delete': policyDeleteArgs,
  'cluster create': clusterCreateArgs,
  'cluster list': clusterListArgs,
  'cluster get': clusterGetArgs,
  'cluster delete': clusterDeleteArgs,
  'setup-role': setupRoleArgs,
  doctor: doctorArgs,
} as const satisfies Record<string, ArgsDef>;

export type CommandName = keyof typeof commandArgs;

/** Other spellings of options, by command. */
export const commandAliases: Partial<Record<CommandName, Readonly<Record<string, string>>>> = {
  'config create': originAliases,
  'config update': originAliases,
};

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commandArgs, name);
}

/** One command, with its own types closed over. */
export type BoundCommand = {
  readonly description: string;
  /** Runs it; what its `run` returned. */
  run(rawArgs: readonly string[]): Promise<unknown>;
  /** Its help, with colours. */
  usage(): Promise<string>;
};

export type Program = {
  readonly root: CommandDef;
  readonly commands: Readonly<Record<CommandName, BoundCommand>>;
};

function bind<T extends ArgsDef>(command: CommandDef<T>, rootName: string): BoundCommand {
  const { description = '' } = command.meta as CommandMeta;
  return {
    description,
    run: async (rawArgs) => (await runCommand(command, { rawArgs: [...rawArgs] })).result,
    usage: () => renderUsage(command, { meta: { name: rootName } } as CommandDef<T>),
  };
}

export function makeProgram(terminal: Terminal, version: string): Program {
  const name = 'millrace';
  const commands: Record<CommandName, BoundCommand> = {
    dev: bind(devCommand(terminal), name),
    serve: bind(serveCommand(terminal), name),
    'check-config': bind(checkConfigCommand(terminal), name),
    token: bind(tokenCommand(terminal), name),
    'config create': bind(configCreateCommand(terminal), name),
    'config list': bind(configListCommand(terminal), name),
    'config get': bind(configGetCommand(terminal), name),
    'config update': bind(configUpdateCommand(terminal), name),
    'config delete': bind(configDeleteCommand(terminal), name),
    'config restart': bind(configRestartCommand(terminal), name),
    'config test': bind(configTestCommand(terminal), name),
    'config purge': bind(configPurgeCommand(terminal), name),
    'config credentials': bind(configCredentialsCommand(terminal), name),
    'iam user create': bind(userCreateCommand(terminal), name),
    'iam user list': bind(userListCommand(terminal), name),
    'iam user delete': bind(userDeleteCommand(terminal), name),
    'iam role create': bind(roleCreateCommand(terminal), name),
    'iam role list': bind(roleListCommand(terminal), name),
    'iam role get': bind(roleGetCommand(terminal), name),
    'iam role delete': bind(roleDeleteCommand(terminal), name),
    'iam key create': bind(keyCreateCommand(terminal), name),
    'iam key list': bind(keyListCommand(terminal), name),
    'iam key activate': bind(keyActivateCommand(terminal), name),
    'iam key deactivate': bind(keyDeactivateCommand(terminal), name),
    'iam key delete': bind(keyDeleteCommand(terminal), name),
    'iam policy put': bind(policyPutCommand(terminal), name),
    'iam policy list': bind(policyListCommand(terminal), name),
    'iam policy get': bind(policyGetCommand(terminal), name),
    'iam policy delete': bind(policyDeleteCommand(terminal), name),
    'cluster create': bind(clusterCreateCommand(terminal), name),
    'cluster list': bind(clusterListCommand(terminal), name),
    'cluster get': bind(clusterGetCommand(terminal), name),
    'cluster delete': bind(clusterDeleteCommand(terminal), name),
    'setup-role': bind(setupRoleCommand(terminal), name),
    doctor: bind(doctorCommand(terminal), name),
  };
  const described = Object.entries(commands).map(([each, { description }]) => [
    each,
    defineCommand({ meta: { name: each, description } }),
  ]);
  const help = defineCommand({
    meta: { name: 'help', description: 'Show this, or the help of a command' },
  });
  const root = defineCommand({
    meta: { name, version, description: 'A PostgreSQL gateway with warm connections' },
    subCommands: { ...Object.fromEntries(described), help },
  });
  return { root, commands };
}
