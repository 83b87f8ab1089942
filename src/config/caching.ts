/** Keys of `[configurations.caching]`, their defaults, and what they mean to the program. */
import * as z from 'zod';
import { choice, integer, keyDocs } from './key-kinds.ts';
import type { CachingConfig } from './model.ts';

/** As Hyperdrive has them. */
const MAX_AGE_S = 60;
const MAX_AGE_S_MAX = 3600;
const STALE_WHILE_REVALIDATE_S = 15;
const STALE_IF_ERROR_S = 300;
const DAY_S = 86_400;
const BYTES_MAX = 64 << 20;
const BYTES_MAX_MIN = 1 << 20;
const BYTES_MAX_MAX = 64 * 2 ** 30;

const mode = choice(
  ['write-through', 'ttl'],
  'With `write-through`, what is written through the gateway is seen at once by all its clients; ' +
    'with `ttl`, answers are given for as long as the times below say, whatever was written.',
);

export const cachingShape = {
  disabled: z.boolean().default(false).register(keyDocs, {
    type: 'boolean',
    unit: '',
    fallback: 'false',
    must: 'true or false',
    meaning: 'Whether every statement goes to the origin.',
  }),
  mode: mode.schema
    .default('write-through')
    .register(keyDocs, { ...mode.doc, fallback: '"write-through"' }),
  max_age: integer(1, MAX_AGE_S_MAX, MAX_AGE_S, 's', 'For so long an answer is given again.'),
  stale_while_revalidate: integer(
    0,
    MAX_AGE_S_MAX,
    STALE_WHILE_REVALIDATE_S,
    's',
    'For so long after `max_age` an answer is given once more while a new one is fetched.',
  ),
  stale_if_error: integer(
    0,
    DAY_S,
    STALE_IF_ERROR_S,
    's',
    'In mode `ttl`, for so long after `max_age` an answer is given when the origin is not reached.',
  ),
  bytes_max: integer(
    BYTES_MAX_MIN,
    BYTES_MAX_MAX,
    BYTES_MAX,
    'bytes',
    'Memory for answers; those used longest ago make room for new ones.',
  ),
};

export type FileCaching = z.infer<z.ZodObject<typeof cachingShape>>;

export function cachingOf(file: FileCaching): CachingConfig {
  return {
    disabled: file.disabled,
    mode: file.mode,
    maxAgeMs: file.max_age * 1000,
    staleWhileRevalidateMs: file.stale_while_revalidate * 1000,
    staleIfErrorMs: file.stale_if_error * 1000,
    bytesMax: file.bytes_max,
  };
}

export const cachingDefaults: CachingConfig = cachingOf(z.object(cachingShape).parse({}));
