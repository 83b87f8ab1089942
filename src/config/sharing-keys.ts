import { choice, integer, keyDocs } from './key-kinds.ts';

/** How links are shared unless a configuration says so. */
export const SHARING_DEFAULTS = { shareLinks: true, shareDepth: 16, hedgeMs: 20 } as const;

const shareLinks = choice(
  ['on', 'off'],
  'Whether short reads of several clients may go over one origin connection at a time, in ' +
    'transaction mode; see docs/sharing.md.',
);

/** The keys of a configuration that say how links are shared. */
export const sharingShape = {
  share_links: shareLinks.schema
    .default('on')
    .register(keyDocs, { ...shareLinks.doc, fallback: '"on"' }),
  share_depth: integer(
    1,
    256,
    SHARING_DEFAULTS.shareDepth,
    '',
    'Most reads outstanding at once on one shared origin connection.',
  ),
  hedge_ms: integer(
    1,
    60_000,
    SHARING_DEFAULTS.hedgeMs,
    'ms',
    'When a read on a shared origin connection runs for longer, those behind it go elsewhere.',
  ),
};
