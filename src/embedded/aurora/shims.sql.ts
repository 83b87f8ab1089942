/**
 * What Aurora PostgreSQL has and PostgreSQL has not, as far as clients ask a cluster for its
 * topology. One string is one transaction of a stand-alone server, so no empty line may follow a
 * semicolon.
 */
import { quoteLiteral } from '../initialize.ts';

/** As whom instances replicate, with the name that RDS has for it. */
export const REPLICATION_ROLE = 'rdsrepladmin';

/** What the controller last told the instances: see {@link tellSql}. */
export type ClusterNews = {
  /** Names of instances. */
  readonly writer: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly session: string;
    /** When the instance was last heard of, in seconds since 1970. */
    readonly seenS: number;
    readonly lagMs: number;
  }[];
};

/** Roles are of the whole cluster. Needed before {@link shimSql}. */
export const shimRolesSql = (replicationPassword: string): string => `
CREATE ROLE ${REPLICATION_ROLE} LOGIN REPLICATION PASSWORD ${quoteLiteral(replicationPassword)};
CREATE ROLE rds_iam NOLOGIN;
`;

/**
 * Tells all instances the news. They are kept as the comment of a role: what is said of roles is
 * the same in every database, and reaches the readers by replication, as Aurora's topology does; a
 * reader that is cut off from its writer goes on saying what it heard last.
 */
export const tellSql = (news: ClusterNews): string =>
  `COMMENT ON ROLE ${REPLICATION_ROLE} IS ${quoteLiteral(JSON.stringify(news))}`;

/**
 * The functions. The columns of `aurora_replica_status` are those of the manual; an instance that
 * is the writer knows so itself, whatever was told. It reads what ordinary users may not, hence
 * SECURITY DEFINER. `rds.extensions` is where clients look for it, in a view that does not show
 * settings that no library has defined.
 */
export const shimSql = `
CREATE FUNCTION pg_catalog.aurora_db_instance_identifier() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
  AS $$ SELECT current_setting('cluster_name') $$;
CREATE FUNCTION pg_catalog.aurora_version() RETURNS text
  LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
  AS $$ SELECT split_part(current_setting('server_version'), ' ', 1) || '.1' $$;
CREATE FUNCTION pg_catalog.aurora_replica_status(
  OUT server_id text,
  OUT session_id text,
  OUT durable_lsn bigint,
  OUT highest_lsn_rcvd bigint,
  OUT current_read_lsn bigint,
  OUT cur_replay_latency_in_usec bigint,
  OUT active_txns bigint,
  OUT is_current boolean,
  OUT last_transport_error integer,
  OUT last_error_timestamp timestamp with time zone,
  OUT last_update_timestamp timestamp with time zone,
  OUT feedback_xmin bigint,
  OUT feedback_epoch bigint,
  OUT replica_lag_in_msec double precision,
  OUT log_stream_speed_in_kib_per_second double precision,
  OUT log_buffer_sequence_number bigint,
  OUT oldest_read_view_trx_id bigint,
  OUT oldest_read_view_lsn bigint,
  OUT pending_read_ios bigint,
  OUT read_ios bigint,
  OUT iops bigint,
  OUT cpu double precision
) RETURNS SETOF record
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
  AS $$
    WITH told AS (
      SELECT shobj_description('${REPLICATION_ROLE}'::regrole, 'pg_authid')::jsonb AS news
    ), here AS (
      SELECT current_setting('cluster_name') AS self,
        CASE WHEN pg_is_in_recovery() THEN news->>'writer' ELSE current_setting('cluster_name') END
          AS writer,
        (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END
          - '0/0'::pg_lsn)::bigint AS lsn
      FROM told
    ), nodes AS (
      SELECT node->>'id' AS id, node->>'session' AS session,
        to_timestamp((node->>'seenS')::double precision) AS seen_at,
        (node->>'lagMs')::double precision AS lag_ms
      FROM told, jsonb_array_elements(news->'nodes') AS node
    )
    SELECT id,
      CASE WHEN id = writer THEN 'MASTER_SESSION_ID' ELSE session END,
      lsn,
      CASE WHEN id = writer THEN NULL::bigint ELSE lsn END,
      CASE WHEN id = writer THEN NULL::bigint ELSE lsn END,
      CASE WHEN id = writer THEN NULL::bigint ELSE (lag_ms * 1000)::bigint END,
      0::bigint,
      NULL::boolean,
      0::integer,
      NULL::timestamp with time zone,
      CASE WHEN id = self THEN NULL::timestamp with time zone ELSE seen_at END,
      NULL::bigint,
      NULL::bigint,
      CASE WHEN id = writer THEN NULL::double precision ELSE lag_ms END,
      0::double precision,
      0::bigint,
      NULL::bigint,
      lsn,
      0::bigint,
      0::bigint,
      NULL::bigint,
      1::double precision
    FROM nodes, here
    ORDER BY id
  $$;
SET allow_system_table_mods = on;
CREATE OR REPLACE VIEW pg_catalog.pg_settings AS
  SELECT * FROM pg_show_all_settings()
  UNION ALL SELECT 'rds.extensions', current_setting('rds.extensions', true), NULL::text,
    'Customized Options', 'List of the extensions that RDS provides', NULL::text, 'postmaster',
    'string', 'configuration file', NULL::text, NULL::text, NULL::text[], NULL::text,
    current_setting('rds.extensions', true), NULL::text, NULL::integer, false;
`;

/** The setting by which clients tell Aurora from other PostgreSQL. */
export const SHIM_SETTINGS = { 'rds.extensions': 'aurora_stat_utils,rds_tools' } as const;
