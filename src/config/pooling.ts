/** Keys of a configuration that say who gets a link when, their defaults, and what they mean. */
import * as z from 'zod';
import { choice, integer, keyDocs } from './key-kinds.ts';
import type { ConfigurationConfig } from './model.ts';

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
  'originConnectionLimit' | 'waitersMax' | 'poolMode' | 'shareLinks' | 'shareDepth' | 'hedgeMs'
>;

export function poolingOf(file: z.infer<z.ZodObject<typeof poolingShape>>): Pooling {
  return {
    originConnectionLimit: file.origin_connection_limit,
    waitersMax: file.waiters_max,
    poolMode: file.pool_mode,
    shareLinks: file.share_links === 'on',
    shareDepth: file.share_depth,
    hedgeMs: file.hedge_ms,
  };
}

export const poolingDefaults: Pooling = poolingOf(z.object(poolingShape).parse({}));
