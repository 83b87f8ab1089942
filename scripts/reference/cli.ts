/** Generates `docs/reference/cli.md` from the definitions of the commands. */
import type { ArgDef, ArgsDef } from 'citty';
import { commandArgs, isCommandName, makeProgram } from '../../src/cli/commands.ts';

const INTRO = `# Command line

Generated from the commands by \`npm run docs\`. \`millrace help COMMAND\` and \`--help\` show
the same; \`--version\` prints the version. Errors are lines on standard error; the exit code is
that of [the error](errors.md), 0 after a polite stop, 128 plus the signal's number after a second
signal.

| variable | effect |
| --- | --- |
| \`NO_COLOR\` | no colours when set to anything |
| \`MILLRACE_DEBUG\` | \`1\` shows debug messages and the stack of an error |
| \`MILLRACE_API_URL\`, else \`CLOUDFLARE_API_BASE_URL\` | the API of \`config\`, up to \`/client/v4\` |
| \`MILLRACE_API_TOKEN\`, else \`CLOUDFLARE_API_TOKEN\` | a token of that API |
| \`MILLRACE_ACCOUNT_ID\`, else \`CLOUDFLARE_ACCOUNT_ID\` | the account there |
`;

const option = (name: string, arg: ArgDef): string => {
  if (arg.type === 'positional') return name.toUpperCase();
  return arg.type === 'boolean' ? `--${name}` : `--${name} <${arg.valueHint ?? 'value'}>`;
};

function usage(name: string, args: ArgsDef): string {
  const parts = Object.entries(args).map(([key, arg]) => {
    const spelled = option(key, arg);
    return arg.required === true ? spelled : `[${spelled}]`;
  });
  return ['millrace', name, ...parts].join(' ');
}

function section(name: string, args: ArgsDef, description: string): string {
  const rows = Object.entries(args).map(
    ([key, arg]) => `| \`${option(key, arg)}\` | ${arg.description ?? ''} |`,
  );
  return [
    `## millrace ${name}`,
    '',
    `${description}.`,
    '',
    '```',
    usage(name, args),
    '```',
    '',
    '| option | meaning |',
    '| --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

export function cliReference(): string {
  const silent = { out: () => {}, err: () => {}, env: {}, usesColor: false };
  const { commands } = makeProgram(silent, '');
  const parts = Object.entries(commands).map(([name, command]) => {
    if (!isCommandName(name)) throw new Error(`the command ${name} has no options table`);
    return section(name, commandArgs[name], command.description);
  });
  return [INTRO, ...parts].join('\n');
}
