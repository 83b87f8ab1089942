/** What the API works with. */
import type { Log } from '../base/log.ts';
import type { Random } from '../base/time.ts';
import type { ConfigurationConfig } from '../config/model.ts';
import type { PurgeOutcome, PurgeTarget } from '../gateway/purge.ts';
import type { ConfigurationStatus } from '../gateway/status.ts';
import type { Store } from '../store/store.ts';
import type { AwsPlane } from './aws/aws-plane.ts';

export type ControlContext = {
  readonly store: Store;
  readonly rootTokenHash: Buffer;
  /** The configurations of the file, which come before those of the store. */
  fileConfigurations(): readonly ConfigurationConfig[];
  /** What runs, over all workers. */
  status(): Promise<readonly ConfigurationStatus[]>;
  /** Forgets answers of a configuration's query cache, in all workers. */
  purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome>;
  /** Settles when the running gateway has taken over all changes made before; never rejects. */
  changesApplied(): Promise<void>;
  /** Where clients of the gateway connect, for connection strings; null when nothing listens. */
  clientAddress(): { readonly host: string; readonly port: number } | null;
  /** The APIs of AWS; null where there is no DSQL endpoint. */
  readonly aws: AwsPlane | null;
  readonly random: Random;
  readonly log: Log;
};
