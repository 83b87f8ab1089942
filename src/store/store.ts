/** The store of the control plane: what the API manages, in any PostgreSQL. */
import { Kysely, Migrator, PostgresDialect } from 'kysely';
import type pg from 'pg';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/time.ts';
import { AccessKeyStore } from './access-keys.ts';
import { CertificateStore } from './certificates.ts';
import { ClusterStore } from './clusters.ts';
import { ConfigurationStore } from './configurations.ts';
import { makeClient, makePool, type StoreAddress, unavailability } from './connection.ts';
import { CredentialStore } from './credentials.ts';
import { type IamSnapshot, IamSnapshotReader } from './iam-snapshot.ts';
import { takeKeyIntoUse } from './key-change.ts';
import type { MasterKeys } from './master-keys.ts';
import { migrations, STORE_SCHEMA } from './migrations.ts';
import { PrincipalStore } from './principals.ts';
import { SecretBox } from './secrets.ts';
import type { Db, StoreSession } from './session.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import type { Tables } from './tables.ts';
import { AuditStore, TokenStore } from './tokens.ts';
import { StoreWatch } from './watch.ts';

export type StoreOptions = {
  readonly address: StoreAddress;
  readonly keys: MasterKeys;
  readonly random: Random;
  readonly log: Log;
};

/**
 * Nothing is connected until something is asked. A store that is away makes the asker fail with
 * `MR_STORE_UNAVAILABLE`, and serves again when it is back.
 */
export class Store {
  readonly configurations: ConfigurationStore;
  readonly credentials: CredentialStore;
  readonly certificates: CertificateStore;
  readonly tokens: TokenStore;
  readonly audit: AuditStore;
  readonly principals: PrincipalStore;
  readonly accessKeys: AccessKeyStore;
  readonly clusters: ClusterStore;
  readonly #options: StoreOptions;
  readonly #pool: pg.Pool;
  readonly #db: Db;
  readonly #session: StoreSession;
  readonly #iamReader: IamSnapshotReader;
  readonly #watches = new Set<StoreWatch>();
  #opening: Promise<void> | null = null;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#pool = makePool(options.address, options.log);
    const dialect = new PostgresDialect({ pool: this.#pool });
    this.#db = new Kysely<Tables>({ dialect }).withSchema(STORE_SCHEMA);
    const session: StoreSession = {
      run: (work) => this.#run(work),
      box: new SecretBox(options.keys, options.random),
    };
    this.#session = session;
    this.configurations = new ConfigurationStore(session);
    this.credentials = new CredentialStore(session);
    this.certificates = new CertificateStore(session);
    this.tokens = new TokenStore(session);
    this.audit = new AuditStore(session);
    this.principals = new PrincipalStore(session);
    this.accessKeys = new AccessKeyStore(session);
    this.clusters = new ClusterStore(session);
    this.#iamReader = new IamSnapshotReader(session.box, options.log);
  }

  /**
   * Makes the tables, or brings them up to date, and checks the key. Everything else does so too
   * when it is asked first.
   *
   * @throws GatewayError `MR_STORE_UNAVAILABLE`, `MR_STORE_VERSION`, `MR_STORE_KEY`
   */
  async open(): Promise<void> {
    this.#opening ??= this.#open();
    try {
      await this.#opening;
    } catch (error) {
      this.#opening = null;
      throw asStoreError(error);
    }
  }

  /** Everything that gateways serve, as of one moment. */
  async snapshot(): Promise<Snapshot> {
    const { box } = this.#session;
    return await this.#run((db) => readSnapshot(db, box, this.#options.log));
  }

  /** Tells of changes until it is closed, and at first of what is there; see {@link StoreWatch}. */
  watch(onChange: () => Promise<number | null>): StoreWatch {
    return this.#watch('revision', onChange);
  }

  /** All identities, as of one moment. */
  async iamSnapshot(): Promise<IamSnapshot> {
    return await this.#run((db) => this.#iamReader.read(db));
  }

  /** The same as {@link watch} for identities and clusters, which it does not tell of. */
  watchIdentities(onChange: () => Promise<number | null>): StoreWatch {
    return this.#watch('iam_revision', onChange);
  }

  #watch(table: RevisionTableName, onChange: () => Promise<number | null>): StoreWatch {
    const watch = new StoreWatch({
      connect: () => makeClient(this.#options.address),
      revision: () => this.#revision(table),
      onChange,
      log: this.#options.log,
    });
    this.#watches.add(watch);
    return watch;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#watches].map((watch) => watch.close()));
    await this.#opening?.catch(() => {});
    await this.#db.destroy();
  }

  async #run<T>(work: (db: Db) => Promise<T>): Promise<T> {
    await this.open();
    try {
      return await work(this.#db);
    } catch (error) {
      throw asStoreError(error);
    }
  }

  async #revision(table: RevisionTableName): Promise<string> {
    const { revision } = await this.#run((db) =>
      db.selectFrom(table).select('revision').executeTakeFirstOrThrow(),
    );
    return String(revision);
  }

  async #open(): Promise<void> {
    await this.#migrate();
    await takeKeyIntoUse(this.#db, this.#session.box, this.#options.log);
  }

  async #migrate(): Promise<void> {
    const migrator = new Migrator({
      // With a schema set, Kysely would look for its own tables there as well as in the option's.
      db: this.#db.withoutPlugins() as Kysely<unknown>,
      provider: { getMigrations: async () => ({ ...migrations }) },
      migrationTableSchema: STORE_SCHEMA,
    });
    const { error, results } = await migrator.migrateToLatest();
    if (error === undefined) {
      const names = (results ?? []).map(({ migrationName }) => migrationName);
      if (names.length > 0) this.#options.log.info({ names }, 'the store was brought up to date');
      return;
    }
    if (error instanceof Error && error.message.startsWith('corrupted migrations')) {
      const subject = 'it has steps that this version does not know';
      throw new GatewayError('MR_STORE_VERSION', { subject, cause: error });
    }
    throw error;
  }
}

type RevisionTableName = 'revision' | 'iam_revision';

/** As an error that tells the user what is wrong, when it is the store that is away. */
function asStoreError(error: unknown): unknown {
  if (error instanceof GatewayError) return error;
  const subject = unavailability(error);
  return subject === null
    ? error
    : new GatewayError('MR_STORE_UNAVAILABLE', { subject, cause: error });
}
