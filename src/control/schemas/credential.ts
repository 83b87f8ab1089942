/** Credentials of a configuration, tokens of the API and the audit log, on the wire. */
import * as z from 'zod';
import { identifier, lifetimeSeconds, objectId, time } from './common.ts';

const OVERLAP_SECONDS_DEFAULT = 24 * 3600;
const OVERLAP_SECONDS_MAX = 90 * 24 * 3600;
const TOKEN_NAME_LENGTH_MAX = 100;

export const credentialInput = z
  .object({
    user: identifier.optional().meta({ description: 'Made up when it is left out' }),
    expires_in: lifetimeSeconds.optional().meta({ description: 'Seconds; without it, no end' }),
  })
  .meta({ id: 'CredentialInput' });

export const rotationInput = z
  .object({
    overlap: z
      .int()
      .min(0)
      .max(OVERLAP_SECONDS_MAX)
      .default(OVERLAP_SECONDS_DEFAULT)
      .meta({ description: 'Seconds for which the old one still lets clients in' }),
  })
  .meta({ id: 'RotationInput' });

export const credentialResult = z
  .object({
    id: objectId.nullable().meta({ description: 'Null for a credential of the file' }),
    user: z.string(),
    created_on: time.nullable(),
    expires_on: time.nullable(),
  })
  .meta({ id: 'Credential' });

/** Shown once. */
export const mintedCredential = credentialResult
  .extend({
    password: z.string(),
    connection_string: z.string(),
  })
  .meta({ id: 'MintedCredential' });

const scope = z.enum(['read', 'write']);

export const tokenInput = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(TOKEN_NAME_LENGTH_MAX)
      .regex(/^[^\p{Cc}]+$/u),
    scope: scope.default('read'),
    expires_in: lifetimeSeconds.optional(),
  })
  .meta({ id: 'TokenInput' });

export const tokenResult = z
  .object({
    id: objectId,
    name: z.string(),
    scope,
    created_on: time,
    expires_on: time.nullable(),
  })
  .meta({ id: 'Token' });

/** Shown once. */
export const mintedToken = tokenResult.extend({ value: z.string() }).meta({ id: 'MintedToken' });

export const auditResult = z
  .object({
    id: z.string(),
    when: time,
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    target_id: z.string(),
    target_name: z.string(),
    fields: z.array(z.string()).meta({ description: 'Names of what changed' }),
  })
  .meta({ id: 'AuditEntry' });
