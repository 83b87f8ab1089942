/** The generated documents, by path from the root of the repository. */
import { cliReference } from './cli.ts';
import { configurationReference } from './configuration.ts';
import { errorsReference } from './errors.ts';

export function referenceDocuments(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/cli.md', cliReference()],
    ['docs/reference/configuration.md', configurationReference()],
    ['docs/reference/errors.md', errorsReference()],
  ]);
}
