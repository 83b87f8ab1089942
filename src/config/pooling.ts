/** Keys of a configuration that say who gets a link when, their defaults, and what they mean. */
import * as z from 'zod';
import { originRules } from '../session/origin-rules.ts';
import { choice, integer, keyDocs, optionalInteger } from './key-kinds.ts';
import type { ConfigurationConfig } from './model.ts';

/** As at Aurora DSQL, where it is not said otherwise. */
const BURST = originRules('dsql').newLinks?.burst ?? 1;

const poolMode = choice(
  ['transaction', 'session'],
  'How long a client keeps an origin connection: for a transaction, or until it leaves.',
);
const shareLinks = choice(
  ['on', 'off'],
  'Whether short reads of several clients may go over one origin connection at a time, in ' +
    'transaction mode; see docs/sharing.md.',
);

export const poolingShape = {
  origin_connection_limit: integer(
    1,
    10_000,
    20,
    '',
    'Most connections to the origin at once. Few are faster than many.',
  ),
  origin_connection_rate: optionalInteger(
    1,
    100_000,
    'none; 100 for Aurora DSQL',
    'New connections to the origin in a second, of all configurations with its host together.',
  ),
  origin_connection_burst: optionalInteger(
    1,
    100_000,
    `${BURST}`,
    'So many may be opened at once before `origin_connection_rate` counts.',
  ),
  waiters_max: integer(
    0,
    1_000_000,
    10_000,
    '',
    'Clients that may wait for an origin connection; more are refused at once.',
  ),
  pool_mode: poolMode.schema
    .default('transaction')
    .register(keyDocs, { ...poolMode.doc, fallback: '"transaction"' }),
  share_links: shareLinks.schema
    .default('on')
    .register(keyDocs, { ...shareLinks.doc, fallback: '"on"' }),
  share_depth: integer(
    1,
    256,
    16,
    '',
    'Most reads outstanding at once on one shared origin connection.',
  ),
  hedge_ms: integer(
    1,
    60_000,
    20,
    'ms',
    'When a read on a shared origin connection runs for longer, those behind it go elsewhere.',
  ),
};

export type Pooling = Pick<
  ConfigurationConfig,
  | 'originConnectionLimit'
  | 'newLinks'
  | 'waitersMax'
  | 'poolMode'
  | 'shareLinks'
  | 'shareDepth'
  | 'hedgeMs'
>;

export function poolingOf(file: z.infer<z.ZodObject<typeof poolingShape>>): Pooling {
  const { origin_connection_rate: perSecond, origin_connection_burst: burst = BURST } = file;
  return {
    ...(perSecond === undefined ? {} : { newLinks: { perSecond, burst } }),
    originConnectionLimit: file.origin_connection_limit,
    waitersMax: file.waiters_max,
    poolMode: file.pool_mode,
    shareLinks: file.share_links === 'on',
    shareDepth: file.share_depth,
    hedgeMs: file.hedge_ms,
  };
}

export const poolingDefaults: Pooling = poolingOf(z.object(poolingShape).parse({}));
