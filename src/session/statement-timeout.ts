import { errorTable } from '../base/errors.ts';

const { sqlstate, clientText, hint } = errorTable.MR_ORIGIN_SILENT;

/**
 * What a client reads, as the fields of an ErrorResponse, where the server says only that it was
 * asked to cancel: the time limit of the configuration was the reason.
 */
export const STATEMENT_TIMEOUT_FIELDS = `${[
  'SERROR',
  'VERROR',
  `C${sqlstate}`,
  `M${clientText}`,
  `H${hint}`,
].join('\0')}\0\0`;
