/** What a session asks of its cluster, and who its client is. */
import type { Principal } from '../../aws/identities.ts';
import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { ServerLink } from '../server/server-link.ts';
import type { Job, Judgement, RoleStatement } from '../statements/judgement.ts';
import type { Transaction } from '../transactions/transaction.ts';
import type { CatalogueEpoch } from './catalogue-epoch.ts';

/** Links to PostgreSQL by role. */
export type Links = {
  /** @throws GatewayError when none can be had, in time or at all */
  checkOut(role: string): Promise<ServerLink>;
  /**
   * Brings the settings of a link to these, by name in small letters; others to their defaults.
   * @param session what another session has had from sequences is forgotten
   * @throws ServerError when PostgreSQL refuses one
   */
  apply(link: ServerLink, settings: ReadonlyMap<string, string>, session?: symbol): Promise<void>;
  /** Outside any transaction; with the settings that it was given, or the statements since. */
  checkIn(link: ServerLink, settings: ReadonlyMap<string, string>): void;
  /** It must not be used again. */
  discard(link: ServerLink): void;
};

/** Who runs a role statement or a job. */
export type Invoker = { readonly role: string; readonly isAdmin: boolean };

/** A change that is checked now and made when its transaction commits. */
export type Deferred = {
  /** @throws ServerError | DsqlError when it cannot be made after all; nothing has changed then */
  commit(): Promise<void>;
};

export type RoleStatements = {
  /** @throws ServerError | DsqlError */
  prepare(
    statement: RoleStatement,
    text: string,
    invoker: Invoker,
  ): Promise<Deferred & { readonly tag: string }>;
  /** Whether the role may be used by whoever `mappedArn` is. */
  mayLogIn(role: string, mappedArn: string): 'ok' | 'no-role' | 'no-login' | 'unmapped';
};

export type JobStatements = {
  /** @throws ServerError | DsqlError */
  prepare(
    job: Job,
    text: string,
    invoker: Invoker,
    settings: ReadonlyMap<string, string>,
  ): Promise<Deferred & { readonly jobId: string }>;
  /** @throws DsqlError for an id that is none */
  waitFor(jobId: string): Promise<boolean>;
};

/** What all sessions of a cluster share. */
export type SessionServices = {
  readonly links: Links;
  readonly roles: RoleStatements;
  readonly jobs: JobStatements;
  readonly adjudicator: {
    begin(link: ServerLink, options: { readonly isReadOnly: boolean }): Promise<Transaction>;
  };
  judge(text: string): Judgement;
  readonly catalogue: CatalogueEpoch;
  readonly clock: Clock;
  readonly log: Log;
};

export type SessionClient = {
  readonly role: string;
  readonly principal: Principal;
  /** Settings of the startup packet, with the values that PostgreSQL gave them. */
  readonly settings: ReadonlyMap<string, string>;
};
