/** The shape of the configuration file, built from the rows of `keys.ts`. */
import * as z from 'zod';
import { cachingShape } from './caching.ts';
import { type KeyDoc, keyDocs } from './key-kinds.ts';
import {
  apiShape,
  configurationShape,
  credentialShape,
  dsqlShape,
  listenerShape,
  originShape,
  storeShape,
  topShape,
} from './keys.ts';
import { timeoutsShape } from './timeouts.ts';

const LISTENERS_MAX = 64;
const CONFIGURATIONS_MAX = 10_000;
const CREDENTIALS_MAX = 10_000;

const cachingSchema = z.strictObject(cachingShape);
const timeoutsSchema = z.strictObject(timeoutsShape);

export const configurationSchema = z.strictObject({
  ...configurationShape,
  origin: z.strictObject(originShape),
  timeouts: timeoutsSchema.default(() => timeoutsSchema.parse({})),
  caching: cachingSchema.default(() => cachingSchema.parse({})),
  credentials: z.array(z.strictObject(credentialShape)).min(1).max(CREDENTIALS_MAX),
});

export const listenerSchema = z.strictObject(listenerShape);

export const apiSchema = z.strictObject(apiShape);
export const storeSchema = z.strictObject(storeShape);
export const dsqlSchema = z.strictObject(dsqlShape);

export const fileSchema = z.strictObject({
  ...topShape,
  listeners: z
    .array(listenerSchema)
    .min(1)
    .max(LISTENERS_MAX)
    .default(() => [listenerSchema.parse({})]),
  // That there is one, unless there is a store, is checked in `load.ts`.
  configurations: z.array(configurationSchema).max(CONFIGURATIONS_MAX).default([]),
  api: apiSchema.optional(),
  store: storeSchema.optional(),
  dsql: dsqlSchema.optional(),
});

export type FileShape = z.infer<typeof fileSchema>;
export type FileListener = FileShape['listeners'][number];
export type FileConfiguration = FileShape['configurations'][number];
export type FileOrigin = FileConfiguration['origin'];
export type FileApi = z.infer<typeof apiSchema>;
export type FileStore = z.infer<typeof storeSchema>;
export type FileDsql = z.infer<typeof dsqlSchema>;
export type FileCredential = FileConfiguration['credentials'][number];

/** One table of the file, for the reference and for error texts. */
export type Section = {
  /** Dotted path without indexes; empty for the top level. */
  readonly path: string;
  /** As written in the file. */
  readonly header: string;
  readonly meaning: string;
  /** Completes "must be …" when the whole table is wrong or missing. */
  readonly must: string;
  readonly shape: Readonly<Record<string, z.ZodType>>;
};

export const sections: readonly Section[] = [
  { path: '', header: '', meaning: 'Top level.', must: 'a table', shape: topShape },
  {
    path: 'listeners',
    header: '[[listeners]]',
    meaning: 'Where clients connect. Without any, one with the defaults.',
    must: `written as [[listeners]], 1 to ${LISTENERS_MAX} of them`,
    shape: listenerShape,
  },
  {
    path: 'configurations',
    header: '[[configurations]]',
    meaning:
      'A database behind the gateway under a name, and how to pool it. At least one, unless ' +
      'there is a store.',
    must: `written as [[configurations]], 1 to ${CONFIGURATIONS_MAX} of them`,
    shape: configurationShape,
  },
  {
    path: 'configurations.origin',
    header: '[configurations.origin]',
    meaning: 'The PostgreSQL server of the configuration above it. Required.',
    must: 'written as [configurations.origin]',
    shape: originShape,
  },
  {
    path: 'configurations.timeouts',
    header: '[configurations.timeouts]',
    meaning: 'Time limits of the configuration above it. May be left out.',
    must: 'written as [configurations.timeouts]',
    shape: timeoutsShape,
  },
  {
    path: 'configurations.caching',
    header: '[configurations.caching]',
    meaning: 'The query cache of the configuration above it: see docs/caching.md. May be left out.',
    must: 'written as [configurations.caching]',
    shape: cachingShape,
  },
  {
    path: 'configurations.credentials',
    header: '[[configurations.credentials]]',
    meaning: 'Who may use the configuration above it. At least one.',
    must: `written as [[configurations.credentials]], 1 to ${CREDENTIALS_MAX} of them`,
    shape: credentialShape,
  },
  {
    path: 'api',
    header: '[api]',
    meaning: 'The control API: see docs/api.md. Without this table there is none.',
    must: 'written as [api]',
    shape: apiShape,
  },
  {
    path: 'store',
    header: '[store]',
    meaning: 'Where the API keeps what it manages. May be left out: the defaults then.',
    must: 'written as [store]',
    shape: storeShape,
  },
  {
    path: 'dsql',
    header: '[dsql]',
    meaning: 'The DSQL endpoint: see docs/dsql.md. Without this table there is none.',
    must: 'written as [dsql]',
    shape: dsqlShape,
  },
];

/** The row of the key at a dotted path without indexes, or null when there is none. */
export function docOf(path: string): KeyDoc | null {
  const dot = path.lastIndexOf('.');
  const section = sections.find((row) => row.path === path.slice(0, Math.max(dot, 0)));
  const schema = section?.shape[path.slice(dot + 1)];
  return schema === undefined ? null : (keyDocs.get(schema) ?? null);
}

/** Names that may stand in the table at a dotted path without indexes: keys and sub-tables. */
export function namesIn(path: string): readonly string[] {
  const section = sections.find((row) => row.path === path);
  const prefix = path === '' ? '' : `${path}.`;
  const tables = sections
    .filter((row) => row.path !== '' && row.path.startsWith(prefix))
    .map((row) => row.path.slice(prefix.length))
    .filter((name) => name !== '' && !name.includes('.'));
  return [...Object.keys(section?.shape ?? {}), ...tables];
}
