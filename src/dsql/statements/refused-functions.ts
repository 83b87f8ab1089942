/**
 * PostgreSQL's own functions that Aurora DSQL refuses, or that must not be reached through the
 * endpoint: what tells of or acts on the server and its files, on other sessions, on replication;
 * locks and state that outlive the transaction; and what runs SQL that comes as text, which nobody
 * has judged. That each volatile function of `pg_catalog` is either here or reviewed as harmless is
 * tested against PostgreSQL itself.
 */
import { unsupported } from '../dsql-error.ts';
import type { RelationName } from './judgement.ts';

/** By name; those of a family are in {@link prefixes}. */
const names: ReadonlySet<string> = new Set(
  `pg_backend_pid inet_server_addr inet_server_port inet_client_addr inet_client_port

  set_config setseed

  query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml table_to_xmlschema
  table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
  database_to_xml database_to_xmlschema database_to_xml_and_xmlschema cursor_to_xml
  cursor_to_xmlschema ts_stat ts_rewrite

  pg_cancel_backend pg_terminate_backend pg_reload_conf pg_promote pg_switch_wal
  pg_wal_replay_pause pg_wal_replay_resume pg_create_restore_point pg_backup_start
  pg_backup_stop pg_start_backup pg_stop_backup pg_log_standby_snapshot
  pg_log_backend_memory_contexts pg_sync_replication_slots pg_export_snapshot pg_notify
  pg_notification_queue_usage pg_extension_config_dump pg_import_system_collations pg_nextoid
  pg_stop_making_pinned_objects currtid2 pg_isolation_test_session_is_blocked
  pg_restore_attribute_stats pg_restore_relation_stats pg_clear_attribute_stats
  pg_clear_relation_stats pg_stat_force_next_flush pg_stat_statements_reset

  pg_read_file pg_read_file_old pg_read_binary_file pg_stat_file pg_hba_file_rules
  pg_ident_file_mappings pg_show_all_file_settings pg_current_logfile pg_logdir_ls
  loread lowrite pg_config pg_get_loaded_modules pg_get_shmem_allocations
  pg_get_shmem_allocations_numa pg_get_backend_memory_contexts pg_get_aios
  lo_close lo_creat lo_create lo_export lo_from_bytea lo_get lo_import lo_lseek lo_lseek64
  lo_open lo_put lo_tell lo_tell64 lo_truncate lo_truncate64 lo_unlink

  brin_desummarize_range brin_summarize_new_values brin_summarize_range
  gin_clean_pending_list pg_available_wal_summaries pg_wal_summary_contents
  pg_prepared_xact pg_last_committed_xact pg_is_wal_replay_paused
  pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp
  pg_tablespace_databases system`.split(/\s+/),
);

const prefixes: readonly string[] = [
  'pg_advisory_',
  'pg_try_advisory_',
  'pg_rotate_logfile',
  'pg_ls_',
  'pg_file_',
  'pg_logical_',
  'pg_replication_',
  'pg_create_logical_',
  'pg_create_physical_',
  'pg_copy_logical_',
  'pg_copy_physical_',
  'pg_drop_replication_',
  'pg_show_replication_',
  'pg_get_replication_',
  'pg_get_wal_',
  'pg_current_wal_',
  'pg_control_',
  'pg_stat_reset',
  'binary_upgrade_',
  'dblink',
  'postgres_fdw_',
];

/** What only extensions bring: in whatever schema it has been put. */
const isOfExtension = (name: string): boolean =>
  name.startsWith('dblink') || name.startsWith('postgres_fdw_') || name.startsWith('pg_file_');

/** Of a function of `pg_catalog`. */
export function isRefusedBuiltin(name: string): boolean {
  return names.has(name) || prefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * A function of the client's own may have any name when it is called with its schema.
 *
 * @throws DsqlError
 */
export function refuseFunction({ schema, name }: RelationName): void {
  if (!isRefusedBuiltin(name)) return;
  if (schema !== null && schema !== 'pg_catalog' && !isOfExtension(name)) return;
  throw unsupported(`function ${name} not supported`);
}
