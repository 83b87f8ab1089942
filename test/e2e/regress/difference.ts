/** Lines in which two outputs differ. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../support/command.ts';

/** As `diff` tells them: those of the one behind `<`, and those of the other behind `>`. */
export async function differingLines(one: string, other: string): Promise<string[]> {
  if (one === other) return [];
  const dir = await mkdtemp(join(tmpdir(), 'millrace-diff-'));
  try {
    const files = [join(dir, 'straight'), join(dir, 'through')];
    await writeFile(join(dir, 'straight'), one);
    await writeFile(join(dir, 'through'), other);
    const format = [
      '--old-line-format=<%l\n',
      '--new-line-format=>%l\n',
      '--unchanged-line-format=',
    ];
    const { code, stdout, stderr } = await run('diff', ['-a', ...format, ...files]);
    if (code !== 1) throw new Error(`diff ended with ${code}: ${stderr}`);
    return stdout.split('\n').slice(0, -1);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
