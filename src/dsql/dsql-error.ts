/** Errors in the words of Aurora DSQL, or relayed from the PostgreSQL below it. */
import { type ErrorFields, encodeErrorResponse } from '../protocol/error-response.ts';

export type DsqlErrorOptions = { readonly detail?: string; readonly hint?: string };

/** What a client is told: every field is safe to be sent. */
export class DsqlError extends Error {
  /** Five characters, PostgreSQL's Appendix A. */
  readonly sqlstate: string;
  readonly detail: string;
  readonly hint: string;

  constructor(
    sqlstate: string,
    message: string,
    { detail = '', hint = '' }: DsqlErrorOptions = {},
  ) {
    super(message);
    this.sqlstate = sqlstate;
    this.detail = detail;
    this.hint = hint;
  }

  /** As ErrorResponse; `FATAL` when the connection ends with it. */
  encode(severity: 'ERROR' | 'FATAL' = 'ERROR'): Buffer {
    return encodeErrorResponse(this.fields(severity));
  }

  fields(severity: 'ERROR' | 'FATAL'): ErrorFields {
    const { sqlstate, message, detail, hint } = this;
    return { severity, sqlstate, message, detail, hint };
  }
}

/** What Aurora DSQL does not do: SQLSTATE `0A000`, as most of its refusals. */
export const unsupported = (message: string): DsqlError => new DsqlError('0A000', message);
