/** Tells sessions of one cluster that the schema has changed under them. */
import { DsqlError } from '../dsql-error.ts';

export class CatalogueEpoch {
  #number = 0;

  /** Grows with every change that was committed. */
  get number(): number {
    return this.#number;
  }

  /** A change of the catalogue was committed: every transaction that is open has an older one. */
  advance(): void {
    this.#number++;
  }
}

export const schemaChanged = (): DsqlError =>
  new DsqlError('40001', 'schema has been updated by another transaction (OC001)', {
    hint: 'Run the transaction again.',
  });
