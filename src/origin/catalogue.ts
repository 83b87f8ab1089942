// Placeholder by the lead until the real one lands: overwrite freely.
import { CatalogueSnapshot } from '../sql/catalogue.ts';
export async function readCatalogue(_run: unknown, _parser: unknown): Promise<CatalogueSnapshot> {
  return new CatalogueSnapshot();
}
