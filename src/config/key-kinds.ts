import * as z from 'zod';

/** The kinds of keys of the configuration file: schemas that know what to tell of themselves. */

/** What a reader needs to know of one key. */
export type KeyDoc = {
  /** How the value is spelled in TOML. */
  readonly type: string;
  /** `ms`, `bytes`, or empty. */
  readonly unit: string;
  /** As spelled in the file, or `required`, or `none`. */
  readonly fallback: string;
  /** Completes "must be …" in errors and is the limits column of the reference. */
  readonly must: string;
  readonly meaning: string;
};

export const keyDocs = z.registry<KeyDoc>();

/** Longest text any key may hold; paths, names and passwords are far shorter. */
const TEXT_LENGTH_MAX = 8192;

export function integer(min: number, max: number, fallback: number, unit: string, meaning: string) {
  const must = `a whole number from ${min} to ${max}`;
  return z
    .int()
    .min(min)
    .max(max)
    .default(fallback)
    .register(keyDocs, { type: 'integer', unit, fallback: String(fallback), must, meaning });
}

/** @param fallback what holds when it is not given, for people */
export function optionalInteger(
  min: number,
  max: number,
  fallback: string,
  meaning: string,
  unit = '',
) {
  const must = `a whole number from ${min} to ${max}`;
  return z
    .int()
    .min(min)
    .max(max)
    .optional()
    .register(keyDocs, { type: 'integer', unit, fallback, must, meaning });
}

export function text(pattern: RegExp) {
  return z.string().max(TEXT_LENGTH_MAX).regex(pattern);
}

export function required(must: string, pattern: RegExp, meaning: string) {
  return text(pattern).register(keyDocs, {
    type: 'string',
    unit: '',
    fallback: 'required',
    must,
    meaning,
  });
}

export function optional(must: string, pattern: RegExp, meaning: string, fallback = 'none') {
  return text(pattern)
    .optional()
    .register(keyDocs, { type: 'string', unit: '', fallback, must, meaning });
}

export function choice<const T extends readonly [string, ...string[]]>(values: T, meaning: string) {
  const must = `one of ${values.map((value) => `"${value}"`).join(', ')}`;
  return { schema: z.enum(values), doc: { type: 'string', unit: '', must, meaning } };
}
