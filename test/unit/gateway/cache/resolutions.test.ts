import { afterEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import { Resolutions } from '../../../../src/gateway/cache/resolutions.ts';
import { LinkQueries } from '../../../../src/gateway/links/link-queries.ts';
import type { Links } from '../../../../src/gateway/links/links.ts';
import { loadParser } from '../../../../src/origin/parser.ts';
import type { ResolvedRead } from '../../../../src/origin/resolved-read.ts';
import { postgresRules } from '../../../../src/session/origin-rules.ts';
import type { Read } from '../../../../src/session/reads/read-cache.ts';
import { Settings } from '../../../../src/session/settings.ts';
import { opaqueFacts } from '../../../../src/sql/facts/facts.ts';

const OUTCOME: ResolvedRead = { isCacheable: true, relations: [5] };

afterEach(() => {
  vi.restoreAllMocks();
});

function readOf(text: string): Read {
  const facts = opaqueFacts(0, '');
  return { text, types: [], facts, settings: Settings.NONE } as Partial<Read> as Read;
}

// Fails when kinds are forgotten as texts are, the oldest first.
it('statements that differ in literals are resolved once, however many there are', async () => {
  const asked = vi.spyOn(LinkQueries, 'with').mockResolvedValue(OUTCOME);
  const links = { counts: { idle: 1 } } as Partial<Links> as Links;
  const parser = await loadParser();
  const resolutions = new Resolutions(links, parser, () => postgresRules, silentLog);
  const find = (id: number) =>
    resolutions.find(readOf(`SELECT body FROM t WHERE id = ${id}`), 'app', 0);
  find(0);
  await vi.waitFor(() => expect(find(1)?.outcome).toEqual(OUTCOME));
  for (let id = 2; id < 30_000; id++) expect(find(id)?.outcome).toBe(OUTCOME);
  expect(asked.mock.calls.length).toBeLessThanOrEqual(2);
});
