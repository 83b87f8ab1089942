/** The schema `millrace` of the store, step by step. A step that was released is never edited. */
import { type Kysely, type Migration, sql } from 'kysely';
import { identityTables } from './iam-schema.ts';

export const STORE_SCHEMA = 'millrace';
/** Whoever listens is told here that something changed. */
export const CHANGE_CHANNEL = 'millrace_changed';

const TABLES = `
CREATE TABLE millrace.configurations (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  name text NOT NULL UNIQUE,
  origin jsonb NOT NULL,
  origin_password bytea NOT NULL,
  caching jsonb NOT NULL,
  mtls jsonb NOT NULL,
  origin_connection_limit integer,
  created_on timestamptz NOT NULL,
  modified_on timestamptz NOT NULL,
  restarted_on timestamptz,
  version integer NOT NULL
);
CREATE TABLE millrace.credentials (
  id text PRIMARY KEY,
  configuration_id text NOT NULL REFERENCES millrace.configurations ON DELETE CASCADE,
  user_name text NOT NULL,
  verifier bytea NOT NULL,
  created_on timestamptz NOT NULL,
  expires_on timestamptz,
  UNIQUE (configuration_id, user_name)
);
CREATE TABLE millrace.certificates (
  id text PRIMARY KEY,
  account_id text NOT NULL,
  name text NOT NULL,
  ca boolean NOT NULL,
  certificates text NOT NULL,
  private_key bytea,
  issuer text NOT NULL,
  serial_number text NOT NULL,
  signature text NOT NULL,
  uploaded_on timestamptz NOT NULL,
  expires_on timestamptz NOT NULL
);
CREATE TABLE millrace.tokens (
  id text PRIMARY KEY,
  name text NOT NULL,
  scope text NOT NULL CHECK (scope IN ('read', 'write')),
  hash bytea NOT NULL UNIQUE,
  created_on timestamptz NOT NULL,
  expires_on timestamptz
);
CREATE TABLE millrace.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  target_id text NOT NULL,
  target_name text NOT NULL,
  fields text[] NOT NULL
);
CREATE TABLE millrace.revision (revision bigint NOT NULL);
INSERT INTO millrace.revision VALUES (1);
CREATE TABLE millrace.key_check (id integer PRIMARY KEY CHECK (id = 1), sealed bytea NOT NULL);
`;

/** By trigger, so that a change by hand is noticed like any other. */
const CHANGES = `
CREATE FUNCTION millrace.note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE millrace.revision SET revision = revision + 1;
  PERFORM pg_notify('${CHANGE_CHANNEL}', '');
  RETURN NULL;
END $$;
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON millrace.configurations
  FOR EACH STATEMENT EXECUTE FUNCTION millrace.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON millrace.credentials
  FOR EACH STATEMENT EXECUTE FUNCTION millrace.note_change();
CREATE TRIGGER note_change AFTER INSERT OR UPDATE OR DELETE ON millrace.certificates
  FOR EACH STATEMENT EXECUTE FUNCTION millrace.note_change();
`;

const run = (text: string) => async (db: Kysely<unknown>) => {
  await sql.raw(text).execute(db);
};

export const migrations: Readonly<Record<string, Migration>> = {
  '0001-tables': { up: run(TABLES) },
  '0002-changes': { up: run(CHANGES) },
  '0003-identities': { up: run(identityTables(CHANGE_CHANNEL)) },
};
