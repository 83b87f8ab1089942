/**
 * The configuration as the program sees it: validated, defaults filled in, secrets resolved.
 * Keys are `snake_case` in the file and `camelCase` here; they are mapped once, in `resolve.ts`.
 */

import type { LinkRate, OriginKind } from '../session/origin-rules.ts';

export type TlsMode = 'off' | 'optional' | 'required';

/** As libpq's `sslmode`. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** How TLS to the origin begins, as libpq's `sslnegotiation`. */
export type SslNegotiation = 'postgres' | 'direct';

/** As libpq's `channel_binding`. */
export type ChannelBinding = 'disable' | 'prefer' | 'require';

/** What is asked of a client's certificate, as `clientcert` of pg_hba.conf. */
export type ClientCertMode = 'off' | 'verify-ca' | 'verify-full';

export type PoolMode = 'transaction' | 'session';

/** Processes that serve clients; `auto` is one for each core. */
export type WorkerCount = number | 'auto';

export type ListenerConfig = {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly tls: TlsMode;
  /** PEM text of the certificate chain, and of its key; null when `tls` is `off`. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** PEM text of the authorities that sign certificates of clients; null when none is asked for. */
  readonly tlsClientCa: string | null;
  readonly tlsClientCert: ClientCertMode;
  /** From the accepted connection to the end of authentication. */
  readonly loginTimeoutMs: number;
  readonly clientsMax: number;
};

/** Whose AWS credentials are used; without profile or role those that the SDK finds by itself. */
export type AwsIdentity = {
  readonly profile: string | null;
  /** A role to assume with them. */
  readonly roleArn: string | null;
  readonly externalId: string | null;
};

/** How the gateway proves to the origin who it is. */
export type OriginAuth =
  | { readonly method: 'password' }
  /** A token signed for this endpoint, which need not be where the gateway connects to. */
  | (AwsIdentity & {
      readonly method: 'rds-iam';
      readonly host: string;
      readonly port: number;
      readonly region: string;
    })
  | (AwsIdentity & {
      readonly method: 'dsql-iam';
      readonly host: string;
      readonly region: string;
    })
  /** User and password as the secret has them, under these keys. */
  | (AwsIdentity & {
      readonly method: 'secrets-manager';
      readonly secretId: string;
      readonly region: string;
      readonly usernameKey: string;
      readonly passwordKey: string;
    });

export type OriginConfig = {
  /** By the name of its host, unless it is told. */
  readonly kind: OriginKind;
  readonly host: string;
  readonly port: number;
  /** Asked for `host` in this order, each with or without a port; null for the system's way. */
  readonly dnsServers: readonly string[] | null;
  /**
   * Hosts of a cluster's instances with `?` for the name of one; null when the origin is no cluster
   * whose writer is to be looked for.
   */
  readonly instanceHostPattern: string | null;
  /** How far a reader may be behind for reads to go there; null when all go to the writer. */
  readonly readerLagMsMax: number | null;
  readonly database: string;
  /** Empty when a secret says it. */
  readonly user: string;
  /** Null when the origin asks for none, or `auth` is of another method. */
  readonly password: string | null;
  readonly auth: OriginAuth;
  readonly sslmode: SslMode;
  /** The name that is asked for in TLS, and that the certificate must have; null for `host`. */
  readonly tlsServerName: string | null;
  readonly sslnegotiation: SslNegotiation;
  readonly channelBinding: ChannelBinding;
  /** PEM texts, or null. */
  readonly ca: string | null;
  readonly clientCert: string | null;
  readonly clientKey: string | null;
};

export type TimeoutsConfig = {
  readonly connectTimeoutMs: number;
  /** How long a client waits for a slot in the pool. */
  readonly waitTimeoutMs: number;
  /** An idle link is closed after this long. */
  readonly idleLinkTimeoutMs: number;
  /** A link is closed at the first check-in after this long, less up to a tenth (jitter). */
  readonly linkLifetimeMs: number;
  /** 0 for no limit. COPY, DDL and VACUUM are exempt. */
  readonly statementTimeoutMs: number;
  /** A client that reads nothing of its waiting result for this long is cut off; 0 for no limit. */
  readonly clientUnreadTimeoutMs: number;
};

/** How fresh answers that are kept must be: see docs/caching.md. */
export type CachingMode = 'write-through' | 'ttl';

export type CachingConfig = {
  readonly disabled: boolean;
  readonly mode: CachingMode;
  /** An answer is given for so long without further ado. */
  readonly maxAgeMs: number;
  /** And for so long afterwards while a new one is fetched. */
  readonly staleWhileRevalidateMs: number;
  /** In mode `ttl`, for so long afterwards when the origin cannot be asked. */
  readonly staleIfErrorMs: number;
  /** For all answers of the configuration together. */
  readonly bytesMax: number;
};

/** How one user of a configuration proves who it is: a SCRAM verifier, or a password. */
export type CredentialConfig = {
  readonly user: string;
  /** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` as in `pg_authid`, or null. */
  readonly verifier: string | null;
  readonly password: string | null;
};

/** A named configuration as in Hyperdrive: an origin, how to pool it, and who may use it. */
export type ConfigurationConfig = {
  /** What clients give as database name. */
  readonly name: string;
  readonly origin: OriginConfig;
  readonly originConnectionLimit: number;
  /** How fast connections may be opened; absent for what the kind of the origin says. */
  readonly newLinks?: LinkRate;
  /** More waiting clients than this are refused at once. */
  readonly waitersMax: number;
  readonly poolMode: PoolMode;
  /** Whether short reads of several clients go over one link at a time. */
  readonly shareLinks: boolean;
  /** Reads outstanding on one shared link. */
  readonly shareDepth: number;
  /** After so long the reads behind another one are sent elsewhere. */
  readonly hedgeMs: number;
  readonly timeouts: TimeoutsConfig;
  readonly caching: CachingConfig;
  readonly credentials: readonly CredentialConfig[];
  /** Another value than before asks for fresh links, as a changed origin does. */
  readonly restartedOn?: string;
};

export type MillraceConfig = {
  /** Counts at the start only. */
  readonly workers: WorkerCount;
  readonly listeners: readonly ListenerConfig[];
  readonly configurations: readonly ConfigurationConfig[];
  /** How long open transactions may go on after SIGTERM. */
  readonly drainTimeoutMs: number;
};

export type ApiConfig = {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** PEM texts, or null for plain HTTP, which only this machine may use. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly token: string;
};

export type StoreConfig = {
  /** Null for the embedded server below `dataDir`. */
  readonly address: OriginConfig | null;
  readonly dataDir: string;
  /** The text of the master keys, or the file that holds them or is to be made. */
  readonly key: { readonly text: string } | { readonly path: string };
};

/** The endpoint that answers as Aurora DSQL does. */
export type DsqlConfig = {
  readonly address: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly region: string;
  /** Twelve digits. */
  readonly accountId: string;
  readonly dataDir: string;
  /** PEM texts, or null for a certificate of an authority in `dataDir`. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
};

/** What is beside the data plane. A change of it needs a restart. */
export type ControlConfig = {
  readonly api: ApiConfig | null;
  readonly store: StoreConfig;
  readonly dsql: DsqlConfig | null;
};
