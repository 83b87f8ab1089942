/** The gateway's own counters, by which a row proves that it measures what it says. */
import pg from 'pg';
import type { Proof } from '../cases/case.ts';
import { poolerTable, type Way } from '../cases/way.ts';
import { type Address, HOST, type Login } from '../ways/address.ts';
import { CORES } from '../ways/pooler.ts';

/** Statements since the gateway began. */
export type Counters = {
  /** Answered from memory, also when several had asked at once. */
  readonly hits: number;
  readonly shared: number;
  /** By what became of them, as `SHOW millrace.cache_statuses` calls it. */
  readonly statuses: Readonly<Record<string, number>>;
};

const HIT_STATUSES: readonly string[] = ['hit', 'stale', 'coalesced'];

/** A row whose statements did not take the way that it is about. */
export class UnprovenError extends Error {}

/** The counters of one configuration of the gateway; of all of its workers. */
export async function readCounters(way: Way, address: Address, login: Login): Promise<Counters> {
  const workers = way.pooler === 'millrace-cores' ? CORES : 1;
  // Each worker tells of itself; clients that are there together are with different ones.
  const clients = Array.from(
    { length: workers },
    () => new pg.Client({ host: HOST, ...address, ...login }),
  );
  for (const client of clients) await client.connect();
  try {
    return (await Promise.all(clients.map(countersOf))).reduce(sumOf);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function countersOf(client: pg.Client): Promise<Counters> {
  const statuses = await client.query<{ status: string; statements: string }>(
    'SHOW millrace.cache_statuses',
  );
  const sharing = await client.query<{ name: string; value: string }>('SHOW millrace.sharing');
  const counts = statuses.rows.map(({ status, statements }) => [status, Number(statements)]);
  const byStatus: Record<string, number> = Object.fromEntries(counts);
  return {
    hits: HIT_STATUSES.reduce((sum, status) => sum + (byStatus[status] ?? 0), 0),
    shared: Number(sharing.rows.find(({ name }) => name === 'shared')?.value ?? 0),
    statuses: byStatus,
  };
}

function sumOf(one: Counters, other: Counters): Counters {
  const statuses = Object.entries(one.statuses).map(([status, count]) => [
    status,
    count + (other.statuses[status] ?? 0),
  ]);
  return {
    hits: one.hits + other.hits,
    shared: one.shared + other.shared,
    statuses: Object.fromEntries(statuses),
  };
}

export function hasCounters(way: Way): boolean {
  return way.pooler !== null && poolerTable[way.pooler].isMillrace;
}

/**
 * Compares the counters of a run with what its row says.
 * @throws UnprovenError when they do not fit
 */
export function prove(proof: Proof, before: Counters, after: Counters, statements: number): void {
  const reason = unproven(proof, before, after, statements);
  if (reason !== null) throw new UnprovenError(reason);
}

/** Why the counters of a run do not fit; null when they do. */
export function unproven(
  proof: Proof,
  before: Counters,
  after: Counters,
  statements: number,
): string | null {
  // pgbench counts no statement whose answer comes when its time is over, the gateway does.
  const hits = Math.min(1, (after.hits - before.hits) / statements);
  const shared = (after.shared - before.shared) / statements;
  const percent = (part: number): string => `${(part * 100).toFixed(1)} %`;
  if (proof.hits !== undefined && (hits < proof.hits.min || hits > proof.hits.max)) {
    const { min, max } = proof.hits;
    return (
      `${percent(hits)} of its statements were answered from memory, ` +
      `which must be from ${percent(min)} to ${percent(max)}: ${statusText(before, after)}`
    );
  }
  if (proof.shared !== undefined && shared < proof.shared.min) {
    return (
      `${percent(shared)} of its statements shared a connection, ` +
      `which must be ${percent(proof.shared.min)} at least`
    );
  }
  return null;
}

function statusText(before: Counters, after: Counters): string {
  return Object.entries(after.statuses)
    .map(([status, count]) => [status, count - (before.statuses[status] ?? 0)] as const)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
}
