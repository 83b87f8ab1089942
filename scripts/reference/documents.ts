/** The generated documents, by path from the root of the repository. */
import { cliReference } from './cli.ts';
import { configurationReference } from './configuration.ts';
import { dsqlCoverage } from './dsql/coverage.ts';
import { errorsReference } from './errors.ts';
import { hazardsReference } from './hazards.ts';
import { readTestFiles, readTestTitles } from './test-titles.ts';

/** @param root the directory of the repository, whose tests are read for their names */
export function referenceDocuments(root: string): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/cli.md', cliReference()],
    ['docs/reference/configuration.md', configurationReference()],
    ['docs/reference/dsql-coverage.md', dsqlCoverage(readTestFiles(root))],
    ['docs/reference/errors.md', errorsReference()],
    ['docs/reference/hazards.md', hazardsReference(readTestTitles(root))],
  ]);
}
