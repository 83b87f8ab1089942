/**
 * The schema `sys` as clients find it. Its tables are the endpoint's own: clients see them through
 * views. All names are bound when the objects are made, so no `search_path` can bend them.
 */

/** How it is recognised when it is there already, in whatever version. */
export const SYS_MARK_OF_ANY = 'schema sys of an Aurora DSQL cluster of Millrace';

/** The version of {@link SYS_OBJECTS}. */
export const SYS_MARK: string = `${SYS_MARK_OF_ANY}, version 2`;

/** How long finished jobs are shown, as in Aurora DSQL. */
export const JOBS_SHOWN = '30 minutes';

export const SYS_OBJECTS: readonly string[] = [
  'REVOKE ALL ON SCHEMA sys FROM PUBLIC',
  'GRANT USAGE ON SCHEMA sys TO PUBLIC',
  'CREATE SEQUENCE IF NOT EXISTS sys.iam_oids AS bigint MINVALUE 26384 MAXVALUE 4294967295',
  // One row for each IAM role or user that may log in as a role.
  `CREATE TABLE IF NOT EXISTS sys.iam_trusts (
    iam_oid oid PRIMARY KEY DEFAULT nextval('sys.iam_oids')::oid,
    arn text NOT NULL,
    pg_role_oid oid NOT NULL,
    grantor_pg_role_oid oid NOT NULL,
    UNIQUE (pg_role_oid, arn)
  )`,
  `CREATE OR REPLACE VIEW sys.iam_pg_role_mappings AS
    SELECT t.iam_oid, t.arn, t.pg_role_oid, r.rolname AS pg_role_name,
      t.grantor_pg_role_oid, g.rolname AS grantor_pg_role_name
    FROM sys.iam_trusts AS t
      JOIN pg_catalog.pg_roles AS r ON r.oid = t.pg_role_oid
      LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = t.grantor_pg_role_oid`,
  `CREATE TABLE IF NOT EXISTS sys.job_records (
    job_id text PRIMARY KEY,
    status text NOT NULL,
    details text,
    job_type text NOT NULL,
    class_id oid,
    object_id oid,
    object_name text,
    start_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now()
  )`,
  // Times are told in whole seconds, and a job that waits has not been updated yet.
  `CREATE OR REPLACE VIEW sys.jobs AS
    SELECT job_id, status, details, job_type, class_id, object_id, object_name,
      date_trunc('second', start_time) AS start_time,
      CASE WHEN status <> 'submitted' THEN date_trunc('second', update_time) END AS update_time
    FROM sys.job_records
    WHERE status IN ('submitted', 'processing') OR update_time > now() - interval '${JOBS_SHOWN}'`,
  // The endpoint answers CALL itself, waiting as long as it takes; here is what is known now.
  `CREATE OR REPLACE PROCEDURE sys.wait_for_job(job_id text, OUT succeeded boolean)
    LANGUAGE sql BEGIN ATOMIC
      SELECT coalesce((SELECT j.status = 'completed' FROM sys.jobs AS j
        WHERE j.job_id = wait_for_job.job_id), false);
    END`,
  'GRANT SELECT ON sys.iam_pg_role_mappings, sys.jobs TO PUBLIC',
];
