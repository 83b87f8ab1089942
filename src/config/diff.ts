/** What a reload changes: pure comparison of two configurations. */
import type { ConfigurationConfig, ListenerConfig, MillraceConfig } from './model.ts';

export type ListenerChange = {
  readonly before: ListenerConfig;
  readonly after: ListenerConfig;
  /** Dotted names of what differs, never values. */
  readonly keys: readonly string[];
};

export type ConfigurationChange = {
  readonly before: ConfigurationConfig;
  readonly after: ConfigurationConfig;
  /** Dotted names of what differs, never values. */
  readonly keys: readonly string[];
  /** Whether links opened before lead somewhere else, or log in differently, than new ones. */
  readonly isOriginAffected: boolean;
};

export type ConfigDiff = {
  readonly listeners: {
    readonly added: readonly ListenerConfig[];
    readonly removed: readonly ListenerConfig[];
    /** Same address and port: the socket stays open, other settings apply to new clients. */
    readonly changed: readonly ListenerChange[];
    readonly kept: readonly ListenerConfig[];
  };
  readonly configurations: {
    readonly added: readonly ConfigurationConfig[];
    readonly removed: readonly ConfigurationConfig[];
    readonly changed: readonly ConfigurationChange[];
    readonly kept: readonly ConfigurationConfig[];
  };
  readonly isDrainTimeoutChanged: boolean;
  readonly isWorkersChanged: boolean;
};

type Pairing<T> = {
  readonly added: T[];
  readonly removed: T[];
  readonly pairs: { readonly before: T; readonly after: T }[];
};

/** Matches by identity; equal identities (listeners on port 0) are matched in their order. */
function pairUp<T>(old: readonly T[], next: readonly T[], idOf: (item: T) => string): Pairing<T> {
  const waiting = new Map<string, T[]>();
  for (const item of old) {
    const same = waiting.get(idOf(item));
    if (same === undefined) waiting.set(idOf(item), [item]);
    else same.push(item);
  }
  const result: Pairing<T> = { added: [], removed: [], pairs: [] };
  for (const after of next) {
    const before = waiting.get(idOf(after))?.shift();
    if (before === undefined) result.added.push(after);
    else result.pairs.push({ before, after });
  }
  for (const rest of waiting.values()) result.removed.push(...rest);
  return result;
}

/** Dotted names of the leaves that differ; arrays are compared whole. */
function differingKeys(before: object, after: object, prefix = ''): string[] {
  const keys: string[] = [];
  // Of both: a key that may be absent can be in one of them alone.
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const left: unknown = (before as Record<string, unknown>)[key];
    const right: unknown = (after as Record<string, unknown>)[key];
    const isTable = typeof left === 'object' && left !== null && !Array.isArray(left);
    if (isTable && typeof right === 'object' && right !== null) {
      keys.push(...differingKeys(left, right, `${prefix}${key}.`));
    } else if (JSON.stringify(left) !== JSON.stringify(right)) {
      keys.push(prefix + key);
    }
  }
  return keys;
}

function split<T extends object>(
  pairs: readonly { readonly before: T; readonly after: T }[],
): { kept: T[]; changed: { before: T; after: T; keys: string[] }[] } {
  const kept: T[] = [];
  const changed: { before: T; after: T; keys: string[] }[] = [];
  for (const { before, after } of pairs) {
    const keys = differingKeys(before, after);
    if (keys.length === 0) kept.push(after);
    else changed.push({ before, after, keys });
  }
  return { kept, changed };
}

/** Listeners are the same by address and port, configurations by name. */
export function diffConfig(old: MillraceConfig, next: MillraceConfig): ConfigDiff {
  const listeners = pairUp(old.listeners, next.listeners, (row) => `${row.address} ${row.port}`);
  const configurations = pairUp(old.configurations, next.configurations, (row) => row.name);
  const splitConfigurations = split(configurations.pairs);
  return {
    listeners: {
      added: listeners.added,
      removed: listeners.removed,
      ...split(listeners.pairs),
    },
    configurations: {
      added: configurations.added,
      removed: configurations.removed,
      kept: splitConfigurations.kept,
      changed: splitConfigurations.changed.map((change) => ({
        ...change,
        isOriginAffected: change.keys.some((key) => key.startsWith('origin.')),
      })),
    },
    isDrainTimeoutChanged: old.drainTimeoutMs !== next.drainTimeoutMs,
    isWorkersChanged: old.workers !== next.workers,
  };
}
