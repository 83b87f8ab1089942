/** The tables of the store, as `migrations.ts` makes them. Secrets are sealed: see `secrets.ts`. */
import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type {
  AccessKeyTable,
  ClusterTable,
  IamRevisionTable,
  PolicyTable,
  PrincipalTable,
  StsSessionTable,
} from './iam-schema.ts';

type Time = ColumnType<Date, Date, Date>;
type TimeOrNull = ColumnType<Date | null, Date | null, Date | null>;
/** Documents are written as text, which PostgreSQL reads. */
type Document<T extends object> = JSONColumnType<T, string, string>;

/** Names as in the API, where these documents come from and go to. */
export type StoredOrigin = {
  readonly scheme: 'postgres' | 'postgresql';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
};

/** What was given; what was not has its default. */
export type StoredCaching = {
  readonly disabled: boolean;
  readonly max_age?: number | undefined;
  readonly stale_while_revalidate?: number | undefined;
};

export type StoredSslMode =
  | 'disable'
  | 'allow'
  | 'prefer'
  | 'require'
  | 'verify-ca'
  | 'verify-full';

export type StoredMtls = {
  readonly ca_certificate_id?: string | undefined;
  readonly mtls_certificate_id?: string | undefined;
  readonly sslmode?: StoredSslMode | undefined;
};

export type ConfigurationTable = {
  /** 32 hexadecimal digits. */
  id: string;
  account_id: string;
  /** What clients give as database name: unique in the whole store. */
  name: string;
  origin: Document<StoredOrigin>;
  origin_password: Buffer;
  caching: Document<StoredCaching>;
  mtls: Document<StoredMtls>;
  origin_connection_limit: number | null;
  created_on: Time;
  modified_on: Time;
  restarted_on: TimeOrNull;
  /** Counts changes, so that none is overwritten unseen. */
  version: number;
};

export type CredentialTable = {
  id: string;
  configuration_id: string;
  user_name: string;
  /** A SCRAM verifier, sealed: who steals it could try passwords on it. */
  verifier: Buffer;
  created_on: Time;
  expires_on: TimeOrNull;
};

export type CertificateTable = {
  id: string;
  account_id: string;
  name: string;
  ca: boolean;
  certificates: string;
  /** Null for an authority. */
  private_key: Buffer | null;
  issuer: string;
  serial_number: string;
  signature: string;
  uploaded_on: Time;
  expires_on: Time;
};

export type TokenTable = {
  id: string;
  name: string;
  scope: 'read' | 'write';
  /** SHA-256; a token has 256 random bits, so nothing slower is needed. */
  hash: Buffer;
  created_on: Time;
  expires_on: TimeOrNull;
};

export type AuditTable = {
  id: Generated<string>;
  at: Time;
  actor: string;
  action: string;
  target: string;
  target_id: string;
  target_name: string;
  /** Names of what changed, never values. */
  fields: ColumnType<string[], string[], never>;
};

/** One row: how often anything that gateways serve has changed. */
export type RevisionTable = { revision: string };

/** One row for the master key: a known text, sealed, to tell a wrong key at once. */
export type KeyCheckTable = { id: number; sealed: Buffer };

export type Tables = {
  configurations: ConfigurationTable;
  credentials: CredentialTable;
  certificates: CertificateTable;
  tokens: TokenTable;
  audit: AuditTable;
  revision: RevisionTable;
  key_check: KeyCheckTable;
  iam_principals: PrincipalTable;
  iam_access_keys: AccessKeyTable;
  iam_policies: PolicyTable;
  sts_sessions: StsSessionTable;
  dsql_clusters: ClusterTable;
  iam_revision: IamRevisionTable;
};
