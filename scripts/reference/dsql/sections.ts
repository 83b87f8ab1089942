/** The sections of the table of the DSQL endpoint, in their order. */
import { connectionRows } from './connection-rows.ts';
import { planeRows } from './plane-rows.ts';
import type { CoverageSection } from './rows.ts';
import { acceptedRows, jobRows, refusedRows, typeRows } from './statement-rows.ts';
import { roleRows, tokenRows } from './token-rows.ts';
import { catalogueRows, endpointRows, transactionRows } from './transaction-rows.ts';

export const coverageSections: readonly CoverageSection[] = [
  { title: '1. Connections', rows: connectionRows },
  { title: '2. Tokens and sessions', rows: tokenRows },
  { title: '3. Roles', rows: roleRows },
  { title: '4. The API of clusters, and identities', rows: planeRows },
  { title: '5. SQL: types', rows: typeRows },
  { title: '5. SQL: what is refused', rows: refusedRows },
  { title: '5. SQL: what works', rows: acceptedRows },
  { title: '5. SQL: jobs', rows: jobRows },
  { title: '6. Transactions', rows: transactionRows },
  { title: '7. The catalogue', rows: catalogueRows },
  { title: '8. The endpoint as a whole', rows: endpointRows },
];
