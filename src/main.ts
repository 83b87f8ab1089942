#!/usr/bin/env node
/** Reads the command line, nothing else. */
import picocolors from 'picocolors';
import { runCli } from './cli/run.ts';

// A reader that went away, as in `millrace dev | head`, is no reason to end.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const exitCode = await runCli(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  usesColor: picocolors.isColorSupported && process.stdout.isTTY && process.stderr.isTTY,
});
// Nothing that still holds the event loop may keep a finished program alive.
process.exit(exitCode);
