import type { CacheStatus, Read } from '../../session/reads/read-cache.ts';
import type { Facts } from '../../sql/facts/facts.ts';

/** What the facts of a statement alone forbid; null when it may be asked for in the cache. */
export function verdictOf(facts: Facts): CacheStatus | null {
  if (facts.unparsed) return 'parseerror';
  if (facts.statements > 1) return 'multiplestatements';
  if (facts.verb !== 'SelectStmt') return 'notaquery';
  if (facts.timeLiteral) return 'volatile';
  const isPlain =
    facts.effects === 0 &&
    !facts.ddl &&
    !facts.sequenceState &&
    facts.relations.every(({ writes }) => !writes);
  return isPlain ? null : 'uncacheable';
}

const OFF: ReadonlySet<string> = new Set(['off', 'false', 'no', '0']);

/** What the client has asked for, and what is in its parameters. */
export function wishOf({ hints, settings, hasTimeWord }: Read): CacheStatus | null {
  if (hints.isOff || !isOn(settings)) return 'disabled';
  return hasTimeWord ? 'volatile' : null;
}

/** `SET millrace.cache = off` */
export function isOn(settings: Read['settings']): boolean {
  return !OFF.has(settings.get('millrace.cache')?.toLowerCase() ?? '');
}

/** Whether the text can be put to PostgreSQL in another session, which speaks UTF-8. */
export function isReadable({ text, settings }: Read, fallback: string | null): boolean {
  const encoding = settings.get('client_encoding') ?? fallback;
  return encoding?.toUpperCase() === 'UTF8' || !NOT_ASCII.test(text);
}

const NOT_ASCII = /[\x80-\xff]/;
