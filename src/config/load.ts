/** Reads and checks a configuration file. */
import { basename, dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import type * as z from 'zod';
import { GatewayError } from '../base/errors.ts';
import { ConfigFiles, type Environment, type ReadFile, readFailure, readText } from './files.ts';
import { lineLocator } from './locate.ts';
import type { ControlConfig, MillraceConfig } from './model.ts';
import { nearestWord } from './nearest.ts';
import { ConfigError, type ConfigPath, ProblemList } from './problems.ts';
import { type Indexed, resolveConfig, type ValidParts } from './resolve.ts';
import { resolveControl } from './resolve-control.ts';
import {
  configurationSchema,
  docOf,
  fileSchema,
  listenerSchema,
  namesIn,
  sections,
} from './schema.ts';

/** Ten thousand configurations of ordinary size fit. */
const CONFIG_BYTES_MAX = 16 * 1024 * 1024;
/** A key is shown as far as this; the rest of a long one is somebody's mistake, maybe a secret. */
const KEY_SHOWN_MAX = 40;

export type LoadedConfig = {
  readonly config: MillraceConfig;
  /** Null when the file has none of `[api]`, `[store]` and `[dsql]`. */
  readonly control: ControlConfig | null;
  /** One line each, for the operator; the file is usable all the same. */
  readonly warnings: readonly string[];
  /** Certificates and secrets in files of their own, which may change without this one. */
  readonly files: readonly ReadFile[];
};

type Issue = z.core.$ZodIssue;

function parseToml(text: string, file: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser's text goes on with a quotation of the file, which may hold a secret.
    const [first = ''] = error.message.split('\n');
    const what = first.replace('Invalid TOML document: ', 'is not valid TOML: ');
    throw new ConfigError(file, [{ file, line: error.line, path: [], what, fix: '' }]);
  }
}

function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function tellIssue(issue: Issue, raw: unknown, problems: ProblemList): void {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  const name = path.filter((part) => typeof part === 'string').join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = namesIn(name);
    for (const key of issue.keys) {
      const meant = nearestWord(key, known);
      const fix = meant === null ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
      const shown = JSON.stringify(key.slice(0, KEY_SHOWN_MAX));
      problems.add([...path, key.slice(0, KEY_SHOWN_MAX)], `unknown key ${shown}`, fix);
    }
    return;
  }
  const must = docOf(name)?.must ?? sections.find((row) => row.path === name)?.must ?? 'valid';
  const isMissing = valueAt(raw, path) === undefined;
  problems.add(path, isMissing ? `is missing; must be ${must}` : `must be ${must}`);
}

function validItems<T>(raw: unknown, schema: z.ZodType<T>): readonly Indexed<T>[] {
  if (!Array.isArray(raw)) return [];
  const valid: Indexed<T>[] = [];
  for (const [index, item] of raw.entries()) {
    const parsed = schema.safeParse(item);
    if (parsed.success) valid.push({ index, value: parsed.data });
  }
  return valid;
}

/**
 * The valid parts of the file. What is not valid is told, and the rest still goes on to the checks
 * of files and between keys, so that a user sees all problems at once.
 */
function validate(raw: Record<string, unknown>, problems: ProblemList): ValidParts {
  const parsed = fileSchema.safeParse(raw);
  const isEmpty = !Array.isArray(raw['configurations']) || raw['configurations'].length === 0;
  if (
    isEmpty &&
    raw['api'] === undefined &&
    raw['store'] === undefined &&
    raw['dsql'] === undefined
  ) {
    const must = sections.find((row) => row.path === 'configurations')?.must ?? '';
    problems.add(['configurations'], `is missing; must be ${must}`);
  }
  if (parsed.success) {
    const { workers, listeners, configurations, drain_timeout_ms, api, store, dsql } = parsed.data;
    const index = <T>(items: readonly T[]) => items.map((value, at) => ({ index: at, value }));
    return {
      workers,
      drainTimeoutMs: drain_timeout_ms,
      listeners: index(listeners),
      configurations: index(configurations),
      api: api ?? null,
      store: store ?? null,
      dsql: dsql ?? null,
    };
  }
  for (const issue of parsed.error.issues) tellIssue(issue, raw, problems);
  return {
    workers: 1,
    drainTimeoutMs: 0,
    listeners: validItems(valueAt(raw, ['listeners']), listenerSchema),
    configurations: validItems(valueAt(raw, ['configurations']), configurationSchema),
    api: null,
    store: null,
    dsql: null,
  };
}

async function readConfigFile(path: string): Promise<{ text: string; isExposed: boolean }> {
  try {
    return await readText(path, CONFIG_BYTES_MAX);
  } catch (error) {
    const subject = `${path}: ${readFailure(error)}`;
    throw new GatewayError('MR_FILE_UNREADABLE', { subject });
  }
}

function hasLiteralSecret({ configurations, api, store }: ValidParts): boolean {
  const isLiteral = (text: string | undefined) =>
    text !== undefined && !text.startsWith('env:') && !text.startsWith('file:');
  if (isLiteral(api?.token) || isLiteral(store?.url)) return true;
  return configurations.some(
    ({ value }) =>
      isLiteral(value.origin.password) ||
      isLiteral(value.origin.url) ||
      value.credentials.some((row) => isLiteral(row.password) || isLiteral(row.verifier)),
  );
}

/**
 * Loads the configuration file at `path`. Paths in it are relative to it, `env:` references are
 * read from `env`. Throws MR_FILE_UNREADABLE, or MR_CONFIG_INVALID as a {@link ConfigError} with
 * all problems of the file.
 */
export async function loadConfig(path: string, env: Environment): Promise<LoadedConfig> {
  const { text, isExposed } = await readConfigFile(path);
  const raw = parseToml(text, path);
  const problems = new ProblemList(path, lineLocator(text));
  const parts = validate(raw, problems);
  const files = new ConfigFiles(dirname(resolve(path)), env, problems);
  const config = await resolveConfig(parts, files, problems, Date.now());
  const control = await resolveControl(parts, files, problems);
  if (problems.problems.length > 0) throw new ConfigError(path, problems.problems);
  if (isExposed && hasLiteralSecret(parts)) {
    const fix = `chmod 600 ${basename(path)}, or use env: or file:`;
    problems.warn([], 'others can read the secrets in this file', fix);
  }
  return { config, control, warnings: problems.warnings, files: files.read };
}
