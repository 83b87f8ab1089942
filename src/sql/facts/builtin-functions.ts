/**
 * The reviewed table of PostgreSQL's own functions that matter to a shared session. Every volatile
 * function of `pg_catalog` (15 and 18) is in it; those that run SQL given to them, or change the
 * session, are here whatever their volatility says.
 */

import { Effect } from './facts.ts';

const table = new Map<string, number>();

function add(effect: number, names: string): void {
  for (const name of names.trim().split(/\s+/)) table.set(name, effect);
}

/** Nothing is left on the session once the transaction has ended. */
add(
  Effect.None,
  `RI_FKey_cascade_del RI_FKey_cascade_upd RI_FKey_check_ins RI_FKey_check_upd
  RI_FKey_noaction_del RI_FKey_noaction_upd RI_FKey_restrict_del RI_FKey_restrict_upd
  RI_FKey_setdefault_del RI_FKey_setdefault_upd RI_FKey_setnull_del RI_FKey_setnull_upd
  amvalidate array_sample array_shuffle bernoulli brinhandler bthandler clock_timestamp
  current_query currtid2 currval dsnowball_init dsnowball_lexize gen_random_uuid ginhandler
  gisthandler hashhandler heap_tableam_handler lastval lo_close lo_creat lo_create lo_export
  lo_from_bytea lo_get lo_import lo_lseek lo_lseek64 lo_open lo_put lo_tell lo_tell64 lo_truncate
  lo_truncate64 lo_unlink loread lowrite nextval pg_advisory_xact_lock
  pg_advisory_xact_lock_shared pg_available_wal_summaries pg_blocking_pids pg_cancel_backend
  pg_clear_attribute_stats pg_clear_relation_stats pg_collation_actual_version
  pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
  pg_create_restore_point pg_current_logfile pg_current_wal_flush_lsn pg_current_wal_insert_lsn
  pg_current_wal_lsn pg_database_collation_actual_version pg_database_size
  pg_drop_replication_slot pg_export_snapshot pg_extension_config_dump pg_get_aios
  pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members
  pg_get_sequence_data pg_get_shmem_allocations pg_get_shmem_allocations_numa
  pg_get_wait_events pg_get_wal_replay_pause_state pg_get_wal_resource_managers
  pg_get_wal_summarizer_state pg_hba_file_rules pg_ident_file_mappings
  pg_import_system_collations pg_indexes_size pg_is_in_recovery pg_is_wal_replay_paused
  pg_isolation_test_session_is_blocked pg_jit_available pg_last_committed_xact
  pg_last_wal_receive_lsn pg_last_wal_replay_lsn pg_last_xact_replay_timestamp pg_lock_status
  pg_log_backend_memory_contexts pg_log_standby_snapshot pg_logical_emit_message
  pg_ls_archive_statusdir pg_ls_dir pg_ls_logdir pg_ls_logicalmapdir pg_ls_logicalsnapdir
  pg_ls_replslotdir pg_ls_summariesdir pg_ls_tmpdir pg_ls_waldir pg_nextoid
  pg_notification_queue_usage pg_notify pg_partition_ancestors pg_partition_tree
  pg_prepared_xact pg_promote pg_read_binary_file pg_read_file pg_read_file_old
  pg_relation_size pg_reload_conf pg_replication_origin_advance pg_replication_origin_create
  pg_replication_origin_drop pg_replication_origin_progress
  pg_replication_origin_session_is_setup pg_replication_origin_session_progress
  pg_replication_origin_xact_reset pg_replication_origin_xact_setup
  pg_restore_attribute_stats pg_restore_relation_stats pg_rotate_logfile pg_rotate_logfile_old
  pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_show_all_file_settings
  pg_show_replication_origin_status pg_sleep pg_sleep_for pg_sleep_until
  pg_stat_clear_snapshot pg_stat_file pg_stat_force_next_flush pg_stat_get_backend_io
  pg_stat_get_backend_wal pg_stat_get_io pg_stat_get_recovery_prefetch
  pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
  pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time
  pg_stat_get_xact_numscans pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched
  pg_stat_get_xact_tuples_hot_updated pg_stat_get_xact_tuples_inserted
  pg_stat_get_xact_tuples_newpage_updated pg_stat_get_xact_tuples_returned
  pg_stat_get_xact_tuples_updated pg_stat_have_stats pg_stat_reset pg_stat_reset_backend_stats
  pg_stat_reset_replication_slot pg_stat_reset_shared pg_stat_reset_single_function_counters
  pg_stat_reset_single_table_counters pg_stat_reset_slru pg_stat_reset_subscription_stats
  pg_switch_wal pg_table_size pg_tablespace_size pg_terminate_backend pg_total_relation_size
  pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_wal_replay_pause
  pg_wal_replay_resume pg_wal_summary_contents pg_xact_commit_timestamp
  pg_xact_commit_timestamp_origin pg_xact_status plpgsql_call_handler plpgsql_inline_handler
  plpgsql_validator random random_normal setval spghandler
  suppress_redundant_updates_trigger system timeofday tsvector_update_trigger
  tsvector_update_trigger_column txid_status unique_key_recheck uuidv4 uuidv7`,
);

/**
 * The probe sees what they leave. Functions that compute index expressions are here for the
 * functions of users that those may call.
 */
add(
  Effect.Session,
  `pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
  pg_advisory_unlock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
  brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
  cursor_to_xml cursor_to_xmlschema pg_logical_slot_get_binary_changes
  pg_logical_slot_get_changes pg_logical_slot_peek_binary_changes pg_logical_slot_peek_changes
  pg_replication_slot_advance pg_sync_replication_slots`,
);

/**
 * No probe sees what they leave, or they run SQL handed over as text, which may set a custom
 * setting under any name. `set_config` is here for the places where its arguments cannot be read;
 * in a statement the walker looks at them.
 */
add(
  Effect.Permanent,
  `set_config setseed query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml
  table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml
  database_to_xml_and_xmlschema ts_stat ts_rewrite pg_input_is_valid pg_input_error_info
  pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup pg_copy_logical_replication_slot
  pg_copy_physical_replication_slot pg_create_logical_replication_slot
  pg_create_physical_replication_slot pg_replication_origin_session_reset
  pg_replication_origin_session_setup pg_stop_making_pinned_objects
  binary_upgrade_add_sub_rel_state binary_upgrade_create_empty_extension
  binary_upgrade_logical_slot_has_caught_up binary_upgrade_replorigin_advance
  binary_upgrade_set_missing_value binary_upgrade_set_next_array_pg_type_oid
  binary_upgrade_set_next_attribute_versions binary_upgrade_set_next_heap_pg_class_oid
  binary_upgrade_set_next_heap_relfilenode binary_upgrade_set_next_index_pg_class_oid
  binary_upgrade_set_next_index_relfilenode binary_upgrade_set_next_multirange_array_pg_type_oid
  binary_upgrade_set_next_multirange_pg_type_oid binary_upgrade_set_next_pg_authid_oid
  binary_upgrade_set_next_pg_enum_oid binary_upgrade_set_next_pg_tablespace_oid
  binary_upgrade_set_next_pg_type_oid binary_upgrade_set_next_toast_pg_class_oid
  binary_upgrade_set_next_toast_relfilenode binary_upgrade_set_record_init_privs`,
);

/**
 * What a function of `pg_catalog` does to the session: bits of {@link Effect}. Undefined for one
 * that is not in the table, which is harmless unless it is volatile.
 */
export function builtinFunctionEffect(name: string): number | undefined {
  return table.get(name);
}

/** The names with an effect, for finding them where statements are stored as trees. */
export function builtinFunctionsWith(effect: number): string[] {
  return [...table].filter(([, has]) => has === effect).map(([name]) => name);
}

/**
 * Functions that tell what the session drew from sequences (`nextval` and `setval` do not), and
 * those that run SQL handed over as text, expressions of indexes or checks of domains, which may.
 */
export const sequenceReaders: ReadonlySet<string> = new Set(
  `currval lastval query_to_xml query_to_xmlschema query_to_xml_and_xmlschema table_to_xml
  table_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xml
  database_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema ts_stat ts_rewrite
  pg_input_is_valid pg_input_error_info brin_summarize_new_values brin_summarize_range`.split(
    /\s+/,
  ),
);
