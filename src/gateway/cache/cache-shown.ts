import { type Column, INT8, TEXT } from '../../protocol/result.ts';
import type { Session } from '../../session/session.ts';
import type { Shown } from '../show.ts';
import type { DatabaseReads } from './database-reads.ts';
import { isOn } from './read-verdict.ts';

const CACHE_COLUMNS: readonly Column[] = [{ name: 'millrace.cache', type: TEXT }];
const STATUS_COLUMNS: readonly Column[] = [{ name: 'millrace.last_cache_status', type: TEXT }];
const STATUSES_COLUMNS: readonly Column[] = [
  { name: 'status', type: TEXT },
  { name: 'statements', type: INT8 },
];

const SIZE_COLUMNS: readonly Column[] = [
  { name: 'name', type: TEXT },
  { name: 'value', type: INT8 },
];

/** What `SHOW millrace.<name>` tells of the cache; null when there is no such name. */
export function cacheShown(
  name: string,
  reads: DatabaseReads | null,
  session: Session,
): Shown | null {
  switch (name) {
    case 'cache': {
      const isUsed = reads?.isOn === true && isOn(session.settings);
      return { columns: CACHE_COLUMNS, rows: [[isUsed ? 'on' : 'off']] };
    }
    case 'last_cache_status':
      return { columns: STATUS_COLUMNS, rows: [[session.reads?.last?.status ?? '']] };
    case 'cache_statuses': {
      const counts = reads?.counts.entries() ?? [];
      const rows = [...counts].map(([status, count]) => [status, `${count}`]);
      return { columns: STATUSES_COLUMNS, rows };
    }
    case 'cache_size': {
      const sizes = [
        ['answers', `${reads?.answerCount ?? 0}`],
        ['bytes', `${reads?.bytes ?? 0}`],
      ];
      return { columns: SIZE_COLUMNS, rows: sizes };
    }
    default:
      return null;
  }
}
