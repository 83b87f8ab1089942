/** Keys of `[configurations.timeouts]`, their defaults, and what they mean to the program. */
import * as z from 'zod';
import { integer } from './key-kinds.ts';
import type { TimeoutsConfig } from './model.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const timeoutsShape = {
  connect_timeout_ms: integer(
    10,
    HOUR_MS,
    15_000,
    'ms',
    'From the start of a connection to the origin until it is ready for a query.',
  ),
  wait_timeout_ms: integer(
    10,
    HOUR_MS,
    15_000,
    'ms',
    'How long a client waits for an origin connection before it gets an error.',
  ),
  idle_link_timeout_ms: integer(
    10,
    DAY_MS,
    600_000,
    'ms',
    'An origin connection that nobody used for this long is closed.',
  ),
  link_lifetime_ms: integer(
    1000,
    7 * DAY_MS,
    HOUR_MS,
    'ms',
    'An origin connection is replaced after this long, less up to a tenth.',
  ),
  statement_timeout_ms: integer(
    0,
    DAY_MS,
    0,
    'ms',
    'Longest a statement may run; 0 for no limit. COPY, DDL and VACUUM are exempt.',
  ),
  client_unread_timeout_ms: integer(
    0,
    DAY_MS,
    300_000,
    'ms',
    'A client that reads nothing of a waiting result for this long is cut off; 0 for no limit.',
  ),
};

export function timeoutsOf(file: z.infer<z.ZodObject<typeof timeoutsShape>>): TimeoutsConfig {
  return {
    connectTimeoutMs: file.connect_timeout_ms,
    waitTimeoutMs: file.wait_timeout_ms,
    idleLinkTimeoutMs: file.idle_link_timeout_ms,
    linkLifetimeMs: file.link_lifetime_ms,
    statementTimeoutMs: file.statement_timeout_ms,
    clientUnreadTimeoutMs: file.client_unread_timeout_ms,
  };
}

export const timeoutsDefaults: TimeoutsConfig = timeoutsOf(z.object(timeoutsShape).parse({}));
