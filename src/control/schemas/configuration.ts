/** A Hyperdrive configuration on the wire: what is sent, and what comes back. */
import * as z from 'zod';
import { givenId, identifier, objectId, time } from './common.ts';

const CONNECTION_LIMIT_MIN = 5;
const CONNECTION_LIMIT_MAX = 1_500;
/** As Hyperdrive documents for `max_age`; it says nothing of the other, which gets the same. */
const AGE_SECONDS_MAX = 3_600;
const SECRET_LENGTH_MAX = 4_096;
const HOST_LENGTH_MAX = 255;

const host = z
  .string()
  .min(1)
  .max(HOST_LENGTH_MAX)
  .regex(/^[^\s\p{Cc},]+$/u, 'must be one host name or address, without a port');
const port = z.int().min(1).max(65_535);
const scheme = z.enum(['postgres', 'postgresql', 'mysql']);
const password = z
  .string()
  .min(1)
  .max(SECRET_LENGTH_MAX)
  .regex(/^[^\0]+$/);

/** Named so that they can be refused with a clear text; see `private-origin` in the errors. */
const privateOriginKeys = {
  access_client_id: z.string().optional(),
  access_client_secret: z.string().optional(),
  service_id: z.string().optional(),
};

/** Of a whole origin all but the scheme must be there; what is missing is told by the endpoint. */
export const originInput = z
  .object({
    scheme: scheme.optional(),
    host: host.optional(),
    port: port.optional(),
    database: identifier.optional(),
    user: identifier.optional(),
    password: password.meta({ writeOnly: true }).optional(),
    ...privateOriginKeys,
  })
  .meta({ id: 'OriginInput' });

export const cachingInput = z
  .object({
    disabled: z.boolean().default(false),
    max_age: z.int().min(1).max(AGE_SECONDS_MAX).optional(),
    stale_while_revalidate: z.int().min(0).max(AGE_SECONDS_MAX).optional(),
  })
  .meta({ id: 'CachingInput' });

const sslmode = z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']);

export const mtlsInput = z
  .object({
    ca_certificate_id: givenId.optional(),
    mtls_certificate_id: givenId.optional(),
    sslmode: sslmode.optional().meta({
      description:
        'Without it `require`, but `prefer` for an origin on this machine, and `verify-full` for ' +
        'one at AWS. `disable`, `allow` and `prefer` are not known to Cloudflare.',
    }),
  })
  .meta({ id: 'MtlsInput' });

const connectionLimit = z.int().min(CONNECTION_LIMIT_MIN).max(CONNECTION_LIMIT_MAX).nullable();

/** Of POST and PUT. */
export const configurationInput = z
  .object({
    name: identifier,
    origin: originInput,
    caching: cachingInput.optional(),
    mtls: mtlsInput.optional(),
    origin_connection_limit: connectionLimit.optional(),
  })
  .meta({ id: 'ConfigurationInput' });

/** Of PATCH. */
export const configurationPatch = z
  .object({
    name: identifier.optional(),
    origin: originInput.optional(),
    caching: cachingInput
      .extend({ disabled: z.boolean().optional() })
      .meta({ id: 'CachingPatch' })
      .optional(),
    mtls: mtlsInput.optional(),
    origin_connection_limit: connectionLimit.optional(),
  })
  .meta({ id: 'ConfigurationPatch' });

export type ConfigurationInput = z.output<typeof configurationInput>;
export type ConfigurationPatch = z.output<typeof configurationPatch>;
export type OriginInput = z.output<typeof originInput>;

export const configurationResult = z
  .object({
    id: objectId,
    name: z.string(),
    origin: z.object({
      scheme: z.enum(['postgres', 'postgresql']),
      host: z.string(),
      port: z.int(),
      database: z.string(),
      user: z.string(),
    }),
    caching: z.object({
      disabled: z.boolean(),
      max_age: z.int().optional(),
      stale_while_revalidate: z.int().optional(),
    }),
    mtls: z.object({
      ca_certificate_id: z.string().optional(),
      mtls_certificate_id: z.string().optional(),
      sslmode: sslmode.optional(),
    }),
    origin_connection_limit: z.int(),
    created_on: time,
    modified_on: time,
    restarted_on: time.optional(),
    millrace: z
      .object({
        source: z.enum(['store', 'file']).meta({
          description: 'Where it is kept; one of the file cannot be changed here',
        }),
        served: z.boolean().meta({
          description: 'False when a configuration of the file has the same name: the file wins',
        }),
      })
      .meta({ description: 'What Cloudflare does not have' }),
  })
  .meta({ id: 'Configuration' });

export type ConfigurationResult = z.input<typeof configurationResult>;

export const testResult = z
  .object({
    connect_ms: z.number(),
    query_ms: z.number(),
    encrypted: z.boolean(),
    server_version: z.string().nullable(),
  })
  .meta({ id: 'TestResult' });

export const statusResult = z
  .object({
    name: z.string(),
    clients: z.int(),
    waiting_clients: z.int(),
    links: z.object({ idle: z.int(), checked_out: z.int(), opening: z.int() }),
  })
  .meta({ id: 'Status' });

const TEXT_LENGTH_MAX = 65_536;
const NAME_LENGTH_MAX = 256;

export const purgeInput = z
  .strictObject({
    table: z.string().min(1).max(NAME_LENGTH_MAX).optional().meta({
      description: 'Only answers that are read from it: `table` or `schema.table`, as in SQL',
    }),
    statement: z.string().min(1).max(TEXT_LENGTH_MAX).optional().meta({
      description: 'Only answers to this text, whatever its parameters and comments',
    }),
  })
  .refine(({ table, statement }) => table === undefined || statement === undefined, {
    error: 'only one of table and statement may be given',
  })
  .meta({ id: 'PurgeInput' });

export const purgeResult = z
  .object({ purged: z.int().meta({ description: 'How many answers were forgotten' }) })
  .meta({ id: 'PurgeResult' });
