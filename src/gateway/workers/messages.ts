/**
 * What the primary process and its workers say to each other, as JSON over the channel of the child
 * process. Messages of one direction arrive in order. Byte strings are Latin-1, keys are Base64.
 */
import type { MillraceConfig } from '../../config/model.ts';
import type { LinkRate } from '../../session/origin-rules.ts';
import type { PurgeOutcome, PurgeTarget } from '../purge.ts';
import type { SharedSecrets } from '../shared-secrets.ts';
import type { News, PinRow, PoolName } from '../siblings.ts';
import type { ConfigurationStatus } from '../status.ts';

/** Changes with the messages: a primary does not work with workers of another version. */
export const MESSAGES_VERSION = 5;

/** Behind the three of every process and the channel itself. */
export const BOARD_FD = 4;

/** Pins of one configuration, as one worker has told them. */
export type ToldPins = {
  readonly worker: number;
  readonly configuration: string;
  readonly rows: readonly PinRow[];
};

export type ToldNews = { readonly configuration: string; readonly news: News };

/** A cancel request of a client of another worker; `id` is chosen by whoever asks. */
export type AskedCancel = {
  readonly id: number;
  readonly processId: number;
  readonly secretKey: string;
};

/** What a worker is to do from the moment it starts, or after a reload. */
export type Orders = {
  /** With verifiers in place of the passwords of clients. */
  readonly config: MillraceConfig;
  /** In Base64. */
  readonly secrets: { readonly [Name in keyof SharedSecrets]: string };
};

export type ToWorker =
  /** The first message. */
  | {
      readonly kind: 'start';
      readonly version: number;
      readonly number: number;
      /** Whether the board of writes is open as {@link BOARD_FD}. */
      readonly hasBoard: boolean;
      readonly orders: Orders;
      /** Variables of the environment that hold secrets. */
      readonly environment: Readonly<Record<string, string>>;
      readonly pins: readonly ToldPins[];
      readonly news: readonly ToldNews[];
    }
  /** Comes with a socket. */
  | { readonly kind: 'connection'; readonly id: number; readonly listener: string }
  | { readonly kind: 'prepare'; readonly id: number; readonly orders: Orders }
  /** Puts in force what was prepared last. */
  | { readonly kind: 'apply'; readonly id: number }
  | { readonly kind: 'granted'; readonly account: number; readonly count: number }
  | {
      readonly kind: 'demanded';
      readonly account: number;
      readonly idleTotal: number;
      readonly mustTotal: number;
    }
  /** The right to open so many links to the cluster. */
  | { readonly kind: 'rateGranted'; readonly cluster: string; readonly count: number }
  | ({ readonly kind: 'cancel' } & AskedCancel)
  | { readonly kind: 'cancelled'; readonly id: number }
  | ({ readonly kind: 'pins' } & ToldPins)
  | ({ readonly kind: 'news' } & ToldNews)
  | { readonly kind: 'status'; readonly id: number }
  | {
      readonly kind: 'purge';
      readonly id: number;
      readonly configuration: string;
      readonly target: PurgeTarget;
    }
  /** Take over what the worker was writing that had this number, and is no more. */
  | { readonly kind: 'takeOver'; readonly id: number; readonly worker: number }
  /** To be answered at once: it shows that the event loop turns. */
  | { readonly kind: 'ping' }
  /** No more connections come; end when all clients have, or after the time. */
  | { readonly kind: 'drain'; readonly timeoutMs: number }
  /** End at once. */
  | { readonly kind: 'close' };

export type ToPrimary =
  | { readonly kind: 'ready' }
  /** It cannot start, and ends. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** The socket is the worker's now. */
  | { readonly kind: 'taken'; readonly id: number }
  /** A connection of that listener has ended. */
  | { readonly kind: 'ended'; readonly listener: string }
  /** The answer to `prepare` (whose `problem` is null when it went well), `apply`, `takeOver`. */
  | { readonly kind: 'done'; readonly id: number; readonly problem: string | null }
  | {
      readonly kind: 'status';
      readonly id: number;
      readonly rows: readonly ConfigurationStatus[];
    }
  | { readonly kind: 'purged'; readonly id: number; readonly outcome: PurgeOutcome }
  | { readonly kind: 'pong' }
  /** A pool begins. Accounts are numbers that a worker uses once. */
  | {
      readonly kind: 'accountOpened';
      readonly account: number;
      readonly configuration: string;
      readonly pool: PoolName;
    }
  | { readonly kind: 'accountClosed'; readonly account: number }
  | { readonly kind: 'wanted'; readonly account: number; readonly total: number }
  | { readonly kind: 'given'; readonly account: number; readonly count: number }
  /** So many links more are to be opened to the cluster, and at that rate by all together. */
  | {
      readonly kind: 'rateWanted';
      readonly cluster: string;
      readonly count: number;
      readonly rate: LinkRate;
    }
  /** So many rights to open a link were not used. */
  | { readonly kind: 'rateGiven'; readonly cluster: string; readonly count: number }
  /** Should the worker die, this is what is left of it at the origin. */
  | {
      readonly kind: 'linkOpened';
      readonly account: number;
      readonly processId: number;
      readonly secretKey: string;
      readonly encrypted: boolean;
      readonly address: string;
    }
  | {
      readonly kind: 'linkGone';
      readonly account: number;
      readonly processId: number;
      readonly address: string;
    }
  | ({ readonly kind: 'cancel' } & AskedCancel)
  | { readonly kind: 'cancelled'; readonly id: number }
  | ({ readonly kind: 'pins' } & Omit<ToldPins, 'worker'>)
  | ({ readonly kind: 'news' } & ToldNews);
