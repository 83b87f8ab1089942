/** A gateway in this process, or in workers: to its owner it is the same. */
import { join } from 'node:path';
import type { Log } from '../base/log.ts';
import type { MillraceConfig, WorkerCount } from '../config/model.ts';
import { Gateway } from '../gateway/gateway.ts';
import type { BoundAddress } from '../gateway/listeners.ts';
import type { PurgeOutcome, PurgeTarget } from '../gateway/purge.ts';
import type { ConfigurationStatus } from '../gateway/status.ts';
import { Workers } from '../gateway/workers/workers.ts';
import type { Stoppable } from './stopping.ts';
import { workerCount } from './worker-count.ts';

export type RunningGateway = Stoppable & {
  addresses(): readonly BoundAddress[];
  reload(config: MillraceConfig): Promise<void>;
  /** Each configuration at work, in all processes together. */
  status(): Promise<readonly ConfigurationStatus[]>;
  /** Forgets answers of a configuration's query cache, in all processes. */
  purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome>;
  /** Replaces its processes one after the other; null when it has none of its own. */
  readonly restart: (() => Promise<void>) | null;
  /** Rejects when it cannot go on. */
  readonly failed: Promise<never>;
};

export type GatewayProcesses = {
  readonly workers: WorkerCount;
  readonly log: Log;
  /** How workers log, whose standard error is that of this process. */
  readonly logFormat: 'json' | 'human' | 'human-color';
};

/** Throws what {@link Gateway.start} and {@link Workers.start} throw. */
export async function startGateway(
  config: MillraceConfig,
  { workers, log, logFormat }: GatewayProcesses,
): Promise<RunningGateway> {
  const count = workerCount(workers, config);
  if (count === 1) {
    const gateway = await Gateway.start(config, { log });
    return {
      addresses: () => gateway.addresses(),
      reload: (next) => gateway.reload(next),
      status: async () => gateway.status(),
      purge: (configuration, target) => gateway.purge(configuration, target),
      drain: (timeoutMs) => gateway.drain(timeoutMs),
      close: () => gateway.close(),
      restart: null,
      failed: new Promise<never>(() => {}),
    };
  }
  const path = join(import.meta.dirname, 'worker', 'worker-main.js');
  const running = await Workers.start(config, {
    log,
    count,
    program: { path, args: logFormat.split('-') },
  });
  return {
    addresses: () => running.addresses(),
    reload: (next) => running.reload(next),
    status: () => running.status(),
    purge: (configuration, target) => running.purge(configuration, target),
    drain: (timeoutMs) => running.drain(timeoutMs),
    close: () => running.close(),
    restart: () => running.restart(),
    failed: running.failed,
  };
}
