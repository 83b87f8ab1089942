/** Certificates on the wire, as Cloudflare's `mtls_certificates`. */
import * as z from 'zod';
import { time } from './common.ts';

/** The largest public bundle of authorities is about 250 KiB. */
const PEM_LENGTH_MAX = 512 * 1024;
const NAME_LENGTH_MAX = 255;

const pem = z.string().min(1).max(PEM_LENGTH_MAX);

export const certificateInput = z
  .object({
    name: z
      .string()
      .max(NAME_LENGTH_MAX)
      .regex(/^[^\p{Cc}\p{Cs}]*$/u)
      .optional(),
    certificates: pem.meta({ description: 'PEM text; of a chain, the own certificate first' }),
    private_key: pem.optional().meta({ writeOnly: true }),
    ca: z.boolean().meta({ description: 'An authority to trust; otherwise it needs its key' }),
  })
  .meta({ id: 'CertificateInput' });

export const certificateResult = z
  .object({
    id: z.string(),
    name: z.string(),
    ca: z.boolean(),
    certificates: z.string(),
    issuer: z.string(),
    serial_number: z.string(),
    signature: z.string(),
    uploaded_on: time,
    expires_on: time,
  })
  .meta({ id: 'Certificate' });
