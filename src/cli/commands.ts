/** The commands of `millrace`, by name. */
import {
  type ArgsDef,
  type CommandDef,
  type CommandMeta,
  defineCommand,
  renderUsage,
  runCommand,
} from 'citty';
import { devArgs, devCommand } from './dev/dev.ts';
import { checkConfigArgs, checkConfigCommand } from './serve/check-config.ts';
import { serveArgs, serveCommand } from './serve/serve.ts';
import type { Terminal } from './terminal.ts';
import { tokenArgs, tokenCommand } from './token/token.ts';

/** The options of each command: what is checked, shown as help and documented. */
export const commandArgs = {
  dev: devArgs,
  serve: serveArgs,
  'check-config': checkConfigArgs,
  token: tokenArgs,
} as const satisfies Record<string, ArgsDef>;

export type CommandName = keyof typeof commandArgs;

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
  const dev = devCommand(terminal);
  const serve = serveCommand(terminal);
  const checkConfig = checkConfigCommand(terminal);
  const token = tokenCommand(terminal);
  const help = defineCommand({
    meta: { name: 'help', description: 'Show this, or the help of a command' },
  });
  const name = 'millrace';
  const root = defineCommand({
    meta: { name, version, description: 'A PostgreSQL gateway with warm connections' },
    subCommands: { dev, serve, 'check-config': checkConfig, token, help },
  });
  const commands = {
    dev: bind(dev, name),
    serve: bind(serve, name),
    'check-config': bind(checkConfig, name),
    token: bind(token, name),
  };
  return { root, commands };
}
