/** The configuration to run: that of the file, and beside it what the store holds. */
import type { LoadedConfig } from '../../config/load.ts';
import type { ConfigurationConfig, MillraceConfig } from '../../config/model.ts';
import { mergeConfigurations } from '../../control/served.ts';

export class ConfigSource {
  readonly #loadFile: () => Promise<LoadedConfig>;
  #file: LoadedConfig;
  #isFileChanged = false;
  #stored: readonly ConfigurationConfig[] = [];

  constructor(file: LoadedConfig, loadFile: () => Promise<LoadedConfig>) {
    this.#file = file;
    this.#loadFile = loadFile;
  }

  /** As the file was read last when it was valid. */
  get file(): LoadedConfig {
    return this.#file;
  }

  /** What {@link setStored} was told last. */
  get stored(): readonly ConfigurationConfig[] {
    return this.#stored;
  }

  get merged(): MillraceConfig {
    const { config } = this.#file;
    return { ...config, configurations: mergeConfigurations(config.configurations, this.#stored) };
  }

  onFileChanged(): void {
    this.#isFileChanged = true;
  }

  setStored(configurations: readonly ConfigurationConfig[]): void {
    this.#stored = configurations;
  }

  /**
   * Reads the file only when it has changed, so that one that is half written does not keep a
   * change of the store from being served. Rejects as {@link loadConfig}; the file of before
   * stays then.
   */
  async load(): Promise<Pick<LoadedConfig, 'config' | 'warnings'>> {
    if (!this.#isFileChanged) return { config: this.merged, warnings: [] };
    this.#isFileChanged = false;
    const before = JSON.stringify(this.#file.control);
    this.#file = await this.#loadFile();
    const { control, warnings } = this.#file;
    const isSame = JSON.stringify(control) === before;
    const restart = '[api] or [store] has changed: that takes effect at the next start';
    return { config: this.merged, warnings: isSame ? warnings : [...warnings, restart] };
  }
}
