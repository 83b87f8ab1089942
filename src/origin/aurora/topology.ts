/**
 * What a node of an Aurora cluster says of itself and of the others. The functions are Aurora's
 * own; AWS's wrappers of drivers ask the same.
 */
import type { Instance } from './instances.ts';

/** More instances than these are not looked at: a cluster has a writer and up to 15 readers. */
const INSTANCES_MAX = 32;

/**
 * Whether the node only reads, whether the functions of Aurora are there, and which server it is: a
 * server that was started at the same moment at the same address is the same.
 */
export const ROLE_QUERY =
  'SELECT pg_catalog.pg_is_in_recovery(), EXISTS (SELECT FROM pg_catalog.pg_settings ' +
  "WHERE name = 'rds.extensions' AND setting LIKE '%aurora_stat_utils%'), " +
  "pg_catalog.concat(pg_catalog.inet_server_addr(), ' ', pg_catalog.pg_postmaster_start_time())";

/**
 * One row for each instance, and one without when none is known. What a node says of itself has no
 * time of its last update; what is five minutes old is of an instance that is gone.
 */
export const TOPOLOGY_QUERY =
  'SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.aurora_db_instance_identifier(), ' +
  "s.server_id, s.session_id = 'MASTER_SESSION_ID', " +
  'coalesce(s.replica_lag_in_msec, 0), ' +
  'coalesce(EXTRACT(EPOCH FROM pg_catalog.now() - s.last_update_timestamp) * 1000, 0) ' +
  'FROM (SELECT 1) AS one LEFT JOIN pg_catalog.aurora_replica_status() AS s ON ' +
  "(s.session_id = 'MASTER_SESSION_ID' OR s.last_update_timestamp IS NULL OR " +
  "pg_catalog.now() - s.last_update_timestamp <= interval '5 minutes')";

/** What a node has answered. */
export type NodeAnswer = {
  /** It is a reader, or is becoming one. */
  readonly isInRecovery: boolean;
  /** The name of its instance; null where the functions of Aurora are not there. */
  readonly instance: string | null;
  /** What tells it from others: its instance, or else the server of now. */
  readonly identity: string;
  /** All instances that it knows of, itself among them; empty where it knows of none. */
  readonly instances: readonly Instance[];
};

/** @param rows of {@link ROLE_QUERY} */
export function readRole(rows: readonly (string | null)[][]): {
  readonly answer: NodeAnswer;
  readonly isAurora: boolean;
} {
  const [role, aurora, server] = rows[0] ?? [];
  const isInRecovery = role !== 'f';
  const answer = { isInRecovery, instance: null, identity: server ?? '', instances: [] };
  return { answer, isAurora: aurora === 't' };
}

/** @param rows of {@link TOPOLOGY_QUERY} */
export function readTopology(rows: readonly (string | null)[][]): NodeAnswer {
  const [role, instance] = rows[0] ?? [];
  const instances: Instance[] = [];
  for (const [, , name, isWriter, lag, age] of rows.slice(0, INSTANCES_MAX)) {
    if (name == null || !NAME.test(name)) continue;
    const [lagMs, silentMs] = [Number(lag) || 0, Number(age) || 0];
    instances.push({ name, isWriter: isWriter === 't', lagMs, silentMs });
  }
  const name = instance ?? null;
  return { isInRecovery: role !== 'f', instance: name, identity: name ?? '', instances };
}

/** What RDS lets an instance be called: a label of a host name. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
