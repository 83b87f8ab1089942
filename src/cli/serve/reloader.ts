/** Reloads the configuration, one reload at a time; a bad file leaves everything as it is. */
import type { Log } from '../../base/log.ts';
import { type ConfigDiff, diffConfig } from '../../config/diff.ts';
import type { LoadedConfig } from '../../config/load.ts';
import type { MillraceConfig } from '../../config/model.ts';
import { failureTexts } from '../failure.ts';

export type ReloaderOptions = {
  readonly load: () => Promise<Pick<LoadedConfig, 'config' | 'warnings'>>;
  readonly apply: (config: MillraceConfig) => Promise<void>;
  readonly log: Log;
};

/** What changed, in names only, as fields of a log line. Empty when nothing did. */
export function changeFields({ listeners, configurations, ...rest }: ConfigDiff): object {
  const spell = (row: { address: string; port: number }) => `${row.address}:${row.port}`;
  const fields = {
    listenersAdded: listeners.added.map(spell),
    listenersRemoved: listeners.removed.map(spell),
    listenersChanged: listeners.changed.map(({ after, keys }) => `${spell(after)} ${keys}`),
    configurationsAdded: configurations.added.map(({ name }) => name),
    configurationsRemoved: configurations.removed.map(({ name }) => name),
    configurationsChanged: configurations.changed.map(({ after, keys }) => `${after.name} ${keys}`),
    drainTimeout: rest.isDrainTimeoutChanged ? ['changed'] : [],
    workers: rest.isWorkersChanged ? ['changed, takes effect at the next start'] : [],
  };
  return Object.fromEntries(Object.entries(fields).filter(([, names]) => names.length > 0));
}

export class Reloader {
  readonly #options: ReloaderOptions;
  #current: MillraceConfig;
  #running: Promise<void> | null = null;
  #isAskedAgain = false;

  constructor(current: MillraceConfig, options: ReloaderOptions) {
    this.#current = current;
    this.#options = options;
  }

  get current(): MillraceConfig {
    return this.#current;
  }

  /** Settles when a reload that began after this call has ended. Never throws, it logs failures. */
  request(reason: string): Promise<void> {
    if (this.#running === null) {
      this.#running = this.#loop(reason);
      return this.#running;
    }
    this.#isAskedAgain = true;
    return this.#running;
  }

  async #loop(reason: string): Promise<void> {
    do {
      this.#isAskedAgain = false;
      await this.#reload(reason);
    } while (this.#isAskedAgain);
    this.#running = null;
  }

  async #reload(reason: string): Promise<void> {
    const { load, apply, log } = this.#options;
    try {
      const { config, warnings } = await load();
      for (const warning of warnings) log.warn({}, warning);
      const fields = changeFields(diffConfig(this.#current, config));
      if (Object.keys(fields).length === 0) {
        log.info({ reason }, 'configuration unchanged');
        return;
      }
      await apply(config);
      this.#current = config;
      log.info({ reason, ...fields }, 'configuration reloaded');
    } catch (error) {
      for (const text of failureTexts(error)) log.error({ reason }, text);
      log.error({ reason }, 'configuration not reloaded, the old one stays');
    }
  }
}
