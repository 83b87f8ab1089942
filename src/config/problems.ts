/** What is wrong with a configuration file, told one line per problem and all at once. */
import { GatewayError } from '../base/errors.ts';

/** Where a value stands in the file: keys and array indexes from the top. */
export type ConfigPath = readonly (string | number)[];

export type ConfigProblem = {
  /** The file as the user named it. */
  readonly file: string;
  /** Counted from 1; null when it is not known. */
  readonly line: number | null;
  readonly path: ConfigPath;
  /** Never holds a value of the file, because any value may be a secret in the wrong place. */
  readonly what: string;
  /** What to do about it; empty when `what` says it. */
  readonly fix: string;
};

/** `configurations[0].origin.port`. */
export function spellPath(path: ConfigPath): string {
  let spelled = '';
  for (const part of path) {
    if (typeof part === 'number') spelled += `[${part}]`;
    else spelled += spelled === '' ? part : `.${part}`;
  }
  return spelled;
}

/** One line: file, line, key, what is wrong, what to do. */
export function spellProblem(problem: ConfigProblem): string {
  const where = problem.line === null ? problem.file : `${problem.file}:${problem.line}`;
  const path = problem.path.length === 0 ? '' : `${spellPath(problem.path)}: `;
  const fix = problem.fix === '' ? '' : `; ${problem.fix}`;
  return `${where}: ${path}${problem.what}${fix}`;
}

/** As one reads the file: by line, and what has no line first. */
function inOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** MR_CONFIG_INVALID with every problem of the file; has no cause, which could quote the file. */
export class ConfigError extends GatewayError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    super('MR_CONFIG_INVALID', { subject: `${count} in ${file}` });
    this.name = 'ConfigError';
    this.problems = inOrder(problems);
  }
}

/** Collects problems and warnings of one file, knowing the line of each path. */
export class ProblemList {
  readonly problems: ConfigProblem[] = [];
  readonly warnings: string[] = [];
  readonly #file: string;
  readonly #lineOf: (path: ConfigPath) => number | null;

  constructor(file: string, lineOf: (path: ConfigPath) => number | null) {
    this.#file = file;
    this.#lineOf = lineOf;
  }

  add(path: ConfigPath, what: string, fix = ''): void {
    this.problems.push(this.#at(path, what, fix));
  }

  warn(path: ConfigPath, what: string, fix = ''): void {
    this.warnings.push(spellProblem(this.#at(path, what, fix)));
  }

  #at(path: ConfigPath, what: string, fix: string): ConfigProblem {
    return { file: this.#file, line: this.#lineOf(path), path, what, fix };
  }
}
