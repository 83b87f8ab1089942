/** Parts that the schemas of the API share. Keys are as on the wire. */
import * as z from 'zod';

/** PostgreSQL's NAMEDATALEN less one; Hyperdrive has the same limit. */
const NAME_BYTES_MAX = 63;
const PER_PAGE_MAX = 100;
const PER_PAGE_DEFAULT = 20;
/** Beyond, no list reaches; it keeps the arithmetic small. */
const PAGE_MAX = 1_000_000;

export const identifier = z
  .string()
  .min(1)
  .regex(/^[^\p{Cc}\p{Cs}]+$/u, 'must not hold control characters, or halves of characters')
  .refine((text) => Buffer.byteLength(text) <= NAME_BYTES_MAX, {
    message: `must have at most ${NAME_BYTES_MAX} bytes`,
  })
  .meta({ maxLength: NAME_BYTES_MAX });

export const time = z.iso.datetime().meta({ description: 'RFC 3339, in UTC' });

/** An id as somebody gives it: whatever else it is, it may be looked for. */
export const givenId = z.string().regex(/^[\w-]{1,64}$/, 'must be an id');

export const objectId = z.string().meta({ description: '32 hexadecimal digits' });

export const accountParams = z.object({
  account_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .meta({
      description: 'Any 32 hexadecimal digits; objects belong to the account they were made in',
    }),
});

/** A number in a query string. */
const queryInteger = (min: number, max: number, fallback: number) =>
  z.coerce.number().int().min(min).max(max).default(fallback);

export const pageQuery = z.object({
  page: queryInteger(1, PAGE_MAX, 1),
  per_page: queryInteger(1, PER_PAGE_MAX, PER_PAGE_DEFAULT),
});

/** When something ends by itself: in the future, and not absurdly far. */
const LIFETIME_SECONDS_MAX = 10 * 366 * 24 * 3600;
export const lifetimeSeconds = z.int().min(1).max(LIFETIME_SECONDS_MAX);

export const message = z.object({ code: z.int(), message: z.string() });

export const resultInfo = z.object({
  page: z.int(),
  per_page: z.int(),
  count: z.int(),
  total_count: z.int(),
  total_pages: z.int(),
});
