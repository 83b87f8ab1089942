import type { DsqlError } from '../dsql-error.ts';

/** What ends a session: the client is told by a FATAL error. */
export class SessionEnd extends Error {
  readonly error: DsqlError;

  constructor(error: DsqlError) {
    super(error.message);
    this.error = error;
  }
}
