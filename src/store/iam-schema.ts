/** Identities and clusters in the store: their tables as migrated, and as types. */
import type { ColumnType, JSONColumnType } from 'kysely';

type Time = ColumnType<Date, Date, Date>;

/**
 * They count changes of their own: to assume a role is no reason for gateways to look at their
 * configurations again.
 */
export const identityTables = (channel: string): string => `
CREATE TABLE millrace.iam_principals (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('user', 'role')),
  name text NOT NULL,
  trust_policy text CHECK ((kind = 'role') = (trust_policy IS NOT NULL)),
  max_session_s integer NOT NULL,
  created_on timestamptz NOT NULL,
  UNIQUE (account_id, kind, name)
);
CREATE TABLE millrace.iam_access_keys (
  id text PRIMARY KEY,
  principal_id text NOT NULL REFERENCES millrace.iam_principals ON DELETE CASCADE,
  secret bytea NOT NULL,
  is_active boolean NOT NULL,
  created_on timestamptz NOT NULL
);
CREATE TABLE millrace.iam_policies (
  principal_id text NOT NULL REFERENCES millrace.iam_principals ON DELETE CASCADE,
  name text NOT NULL,
  document text NOT NULL,
  modified_on timestamptz NOT NULL,
  PRIMARY KEY (principal_id, name)
);
CREATE TABLE millrace.sts_sessions (
  id text PRIMARY KEY,
  principal_id text NOT NULL REFERENCES millrace.iam_principals ON DELETE CASCADE,
  session_name text NOT NULL,
  credential bytea NOT NULL,
  created_on timestamptz NOT NULL,
  expires_on timestamptz NOT NULL
);
CREATE TABLE millrace.dsql_clusters (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  region text NOT NULL,
  status text NOT NULL CHECK (status IN ('CREATING', 'ACTIVE', 'DELETING', 'FAILED')),
  home text NOT NULL,
  created_on timestamptz NOT NULL,
  is_deletion_protected boolean NOT NULL,
  tags jsonb NOT NULL,
  policy text,
  policy_version integer NOT NULL,
  policy_token text,
  origin_urls bytea NOT NULL,
  role_secret bytea NOT NULL,
  client_token text,
  request_hash text NOT NULL,
  UNIQUE (account_id, region, client_token)
);
CREATE TABLE millrace.iam_revision (revision bigint NOT NULL);
INSERT INTO millrace.iam_revision VALUES (1);
CREATE FUNCTION millrace.note_iam_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE millrace.iam_revision SET revision = revision + 1;
  PERFORM pg_notify('${channel}', '');
  RETURN NULL;
END $$;
${['iam_principals', 'iam_access_keys', 'iam_policies', 'sts_sessions', 'dsql_clusters']
  .map(
    (table) => `CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON millrace.${table}
  FOR EACH STATEMENT EXECUTE FUNCTION millrace.note_iam_change();`,
  )
  .join('\n')}
`;

export type PrincipalTable = {
  /** As AWS makes them: `AIDA…` of a user, `AROA…` of a role. */
  id: string;
  account_id: string;
  kind: 'user' | 'role';
  name: string;
  /** Of a role: who may assume it. */
  trust_policy: string | null;
  /** Of a role: the longest session, in seconds. */
  max_session_s: number;
  created_on: Time;
};

export type AccessKeyTable = {
  /** `AKIA…`. */
  id: string;
  principal_id: string;
  /** Sealed. */
  secret: Buffer;
  is_active: boolean;
  created_on: Time;
};

export type PolicyTable = {
  principal_id: string;
  name: string;
  document: string;
  modified_on: Time;
};

export type StsSessionTable = {
  /** `ASIA…`, an access key. */
  id: string;
  principal_id: string;
  session_name: string;
  /** Secret key and session token, sealed. */
  credential: Buffer;
  created_on: Time;
  expires_on: Time;
};

export type ClusterTable = {
  id: string;
  account_id: string;
  region: string;
  status: 'CREATING' | 'ACTIVE' | 'DELETING' | 'FAILED';
  /** Which data directory its embedded server is in, or who made it. */
  home: string;
  created_on: Time;
  is_deletion_protected: boolean;
  tags: JSONColumnType<Record<string, string>, string, string>;
  policy: string | null;
  /** Counts the policies that there have been. */
  policy_version: number;
  /** The client token of the request that wrote the policy. */
  policy_token: string | null;
  /** A list in JSON, sealed: URLs hold passwords. */
  origin_urls: Buffer;
  /** 64 hexadecimal digits, sealed. */
  role_secret: Buffer;
  client_token: string | null;
  /** Of what a cluster was asked for with its client token. */
  request_hash: string;
};

export type IamRevisionTable = { revision: string };
