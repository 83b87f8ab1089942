/**
 * The house rules that a compiler does not know, as pure functions over text: each takes files and
 * returns one line per violation. A simple scan, not a parser: it relies on formatted code.
 */

/** A file by its path from the root of the repository. */
export type SourceFile = { readonly path: string; readonly text: string };

const LEVELS: Readonly<Record<string, number>> = {
  base: 0,
  protocol: 1,
  sql: 1,
  aws: 1,
  auth: 2,
  session: 2,
  pool: 3,
  cache: 3,
  net: 3,
  config: 3,
  embedded: 3,
  store: 3,
  observe: 3,
  origin: 4,
  gateway: 5,
  dsql: 5,
  control: 6,
  cli: 7,
};
const MAIN = 'src/main.ts';
const MAIN_LEVEL = 8;
const PURE_LEVEL_MAX = 2;
const PURE_FOLDERS: readonly string[] = ['pool', 'cache'];
/** Hashes and signatures are pure. */
const MAY_USE_CRYPTO: readonly string[] = ['auth', 'aws'];

const FILE_LINES_MAX = 400;
/** Written by a program, and read by one. */
const isGenerated = (path: string) => path.endsWith('.generated.ts');
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;

const folderOf = (path: string): string => path.split('/')[1] ?? '';
const levelOf = (path: string): number | undefined =>
  path === MAIN ? MAIN_LEVEL : LEVELS[folderOf(path)];

/** Code without comments and without the content of strings; line breaks stay. */
export function bareCode(text: string): string {
  const blank = (match: string) => match.replace(/[^\n]/g, ' ');
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\[\s\S])*`/g,
    (match) =>
      match.startsWith('/') ? blank(match) : `${match[0]}${blank(match.slice(2))}${match[0]}`,
  );
}

type Import = { readonly target: string; readonly isType: boolean };

const IMPORT =
  /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;

export function importsOf({ text }: SourceFile): Import[] {
  return [...text.matchAll(IMPORT)].map((match) => ({
    target: match[2] ?? match[3] ?? match[4] ?? '',
    isType: match[1] !== undefined,
  }));
}

/** The path from the root that a relative import names. */
function resolveImport(from: string, target: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

const relativeImports = (file: SourceFile): string[] =>
  importsOf(file)
    .filter(({ target }) => target.startsWith('.'))
    .map(({ target }) => resolveImport(file.path, target));

type Rule = (files: readonly SourceFile[]) => string[];

export const importDirection: Rule = (files) =>
  files.flatMap((file) => {
    const own = levelOf(file.path);
    if (own === undefined) return [`${file.path}: its folder has no level`];
    return relativeImports(file)
      .filter((target) => folderOf(target) !== folderOf(file.path))
      .filter((target) => (levelOf(target) ?? Number.POSITIVE_INFINITY) >= own)
      .map((target) => `${file.path}: imports ${target}, which is not of a lower level`);
  });

const isPure = (path: string): boolean =>
  (levelOf(path) ?? MAIN_LEVEL) <= PURE_LEVEL_MAX || PURE_FOLDERS.includes(folderOf(path));

const IMPURE_MODULE =
  /^node:(net|tls|fs|http|https|http2|dgram|dns|timers|child_process|worker_threads)\b/;
const IMPURE_CODE =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|process\.|async |await )/;

export const purity: Rule = (files) =>
  files
    .filter(({ path }) => isPure(path))
    .flatMap((file) => {
      const modules = importsOf(file).map(({ target }) => target);
      const found = modules.filter((target) => IMPURE_MODULE.test(target));
      if (!MAY_USE_CRYPTO.includes(folderOf(file.path))) {
        found.push(...modules.filter((target) => target === 'node:crypto'));
      }
      const code = IMPURE_CODE.exec(bareCode(file.text));
      if (code !== null) found.push(code[0].trim());
      return found.map((what) => `${file.path}: pure code uses ${what}`);
    });

export const socketsOnlyInNet: Rule = (files) =>
  files
    .filter(({ path }) => folderOf(path) !== 'net')
    .flatMap((file) =>
      importsOf(file)
        .filter(({ target, isType }) => !isType && /^node:(net|tls)$/.test(target))
        .map(({ target }) => `${file.path}: only src/net imports the values of ${target}`),
    );

const BANNED_SYNTAX: readonly (readonly [RegExp, string])[] = [
  [/^\s*export default\b/m, 'has a default export'],
  [/^\s*(?:export )?(?:declare )?(?:const )?enum \w/m, 'declares an enum'],
  [/^\s*(?:export )?(?:declare )?(?:namespace|module) \w/m, 'declares a namespace'],
  [
    /\bconstructor\((?:[^)]*,)?\s*(?:private|public|protected|readonly) \w/,
    'has a parameter property',
  ],
];

export const bannedSyntax: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const code = bareCode(text);
    return BANNED_SYNTAX.filter(([pattern]) => pattern.test(code)).map(
      ([, what]) => `${path}: ${what}`,
    );
  });

const BANNED_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, 'leaves a reminder'],
  [/(?:istanbul|c8|v8) ignore/, 'hides code from coverage'],
  [/@ts-(?:ignore|nocheck|expect-error)/, 'silences the compiler'],
  [/(?:^|[\s'"`(=])\/(?:work|root|home|Users)\//m, 'names a path of somebody’s machine'],
];

export const bannedText: Rule = (files) =>
  files.flatMap(({ path, text }) =>
    BANNED_TEXT.filter(([pattern]) => pattern.test(text)).map(([, what]) => `${path}: ${what}`),
  );

export const consoleUse: Rule = (files) =>
  files
    .filter(({ path }) => path !== MAIN && folderOf(path) !== 'cli')
    .filter(({ text }) => /\bconsole\./.test(bareCode(text)))
    .map(({ path }) => `${path}: writes to the console`);

export const lineLength: Rule = (files) =>
  files
    .filter(({ path }) => !isGenerated(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .map((line, at) => ({ columns: [...line].length, at }))
        .filter(({ columns }) => columns > LINE_COLUMNS_MAX)
        .map(({ columns, at }) => `${path}:${at + 1}: ${columns} columns`),
    );

export const fileLength: Rule = (files) =>
  files
    .filter(({ path }) => !isGenerated(path))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > FILE_LINES_MAX)
    .map(({ path, lines }) => `${path}: ${lines} lines`);

/** Opens a function, method or block arrow at the head of a line; its end has the same indent. */
const FUNCTION_HEAD =
  /^(\s*)(?:(?:export )?(?:async )?function\b|(?:export )?(?:const|let) \w+ = (?:async )?(?:\(|\w+ =>)|(?:static |async |override |get |set )*[#\w]+(?:<[^>]*>)?\()/;
const NOT_A_FUNCTION = /^\s*(?:if|for|while|switch|catch|return|await|super|new)\b/;

/** The line with the opening brace of a body: the head itself, or the end of its parameters. */
function bodyStart(lines: readonly string[], start: number, indent: string): number {
  if ((lines[start] as string).trimEnd().endsWith('{')) return start;
  const deeper = `${indent} `;
  const close = lines.findIndex(
    (line, at) => at > start && line.trim() !== '' && !line.startsWith(deeper),
  );
  const line = lines[close] ?? '';
  return line.startsWith(`${indent})`) && line.trimEnd().endsWith('{') ? close : -1;
}

export const functionLength: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const lines = bareCode(text).split('\n');
    return lines.flatMap((line, start) => {
      const head = FUNCTION_HEAD.exec(line);
      if (head === null || NOT_A_FUNCTION.test(line)) return [];
      const indent = head[1] as string;
      const body = bodyStart(lines, start, indent);
      const end = lines.findIndex((other, at) => at > body && other.startsWith(`${indent}}`));
      const count = end - start + 1;
      if (body === -1 || count <= FUNCTION_LINES_MAX) return [];
      return [`${path}:${start + 1}: a function of ${count} lines`];
    });
  });

/** What is started as a program. */
const ROOTS: readonly string[] = [MAIN, 'src/cli/worker/worker-main.ts'];

/** Files that nothing imports. */
export const deadFiles: Rule = (files) => {
  const imported = new Set(files.flatMap(relativeImports));
  return files
    .filter(({ path }) => !ROOTS.includes(path) && !imported.has(path) && !path.endsWith('.d.ts'))
    .map(({ path }) => `${path}: nothing imports it`);
};

/** Names of ADR files must count 0001, 0002, … without gap or repetition. */
export function adrNumbers(names: readonly string[]): string[] {
  const sorted = names.toSorted();
  return sorted.flatMap((name, at) => {
    const expected = String(at + 1).padStart(4, '0');
    return name.startsWith(`${expected}-`) && name.endsWith('.md')
      ? []
      : [`${name}: its number should be ${expected}`];
  });
}

export function undocumentedCodes(codes: readonly string[], reference: string): string[] {
  const headings = new Set(reference.split('\n').filter((line) => line.startsWith('## ')));
  return codes.filter((code) => !headings.has(`## ${code}`)).map((code) => `${code}: no heading`);
}
