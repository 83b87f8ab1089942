/** Builds the program before its tests, so that they never judge an old one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.ts';
import { ROOT } from './program.ts';

/** A type error is the business of `npm run check`: what was emitted all the same is tested. */
export async function setup(): Promise<void> {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '-p', 'tsconfig.build.json'];
  const { stdout, stderr } = await run(process.execPath, args, { cwd: ROOT });
  if (!existsSync(join(ROOT, 'dist/main.js'))) throw new Error(`no build: ${stdout}${stderr}`);
}
