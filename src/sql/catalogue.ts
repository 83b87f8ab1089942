// Placeholder by the lead until the real one lands: overwrite freely.
import type { Facts } from './facts.ts';
export class CatalogueSnapshot {
  static readonly UNKNOWN = new CatalogueSnapshot();
  readonly customSettingNames: readonly string[] = [];
  judge(facts: Facts): { effects: number; reason: string } {
    return facts;
  }
}
