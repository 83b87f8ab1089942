/** What operations of the DSQL API are given, checked by the rules of its model. */
import * as z from 'zod';
import { POLICY_LENGTH_MAX } from '../../aws/iam-policy.ts';
import { invalid, invalidField, unsupportedHere } from './aws-error.ts';
import type { AwsRequest } from './aws-request.ts';

const TAGS_MAX = 200;
const TAG_KEY_LENGTH_MAX = 128;
const TAG_VALUE_LENGTH_MAX = 256;
const VERSION_LENGTH_MAX = 64;
const RESULTS_MAX = 100;
const OWNED_KEY = 'AWS_OWNED_KMS_KEY';

const clientToken = z.string().regex(/^[!-~]{1,128}$/);
/** `aws:` begins those that AWS itself gives. */
const tagKey = z
  .string()
  .min(1)
  .max(TAG_KEY_LENGTH_MAX)
  .refine((key) => !/^aws:/i.test(key), 'must not begin with aws:');
const tags = z
  .record(tagKey, z.string().max(TAG_VALUE_LENGTH_MAX))
  .refine((all) => Object.keys(all).length <= TAGS_MAX, `must be ${TAGS_MAX} or less`);
const policy = z.string().min(1).max(POLICY_LENGTH_MAX.resource);
const kmsEncryptionKey = z.string().min(1).max(2_048);

/** Members that are not in the model are passed over, as at AWS. */
export const createInput = z.object({
  deletionProtectionEnabled: z.boolean().nullish(),
  kmsEncryptionKey: kmsEncryptionKey.nullish(),
  tags: tags.nullish(),
  clientToken: clientToken.nullish(),
  multiRegionProperties: z.unknown().optional(),
  policy: policy.nullish(),
  bypassPolicyLockoutSafetyCheck: z.boolean().nullish(),
});

export const updateInput = z.object({
  deletionProtectionEnabled: z.boolean().nullish(),
  kmsEncryptionKey: kmsEncryptionKey.nullish(),
  clientToken: clientToken.nullish(),
  multiRegionProperties: z.unknown().optional(),
});

export const putPolicyInput = z.object({
  policy,
  bypassPolicyLockoutSafetyCheck: z.boolean().nullish(),
  expectedPolicyVersion: z.string().min(1).max(VERSION_LENGTH_MAX).nullish(),
  clientToken: clientToken.nullish(),
});

export const tagInput = z.object({ tags });

export const deleteQuery = z.object({ 'client-token': clientToken.optional() });

export const deletePolicyQuery = deleteQuery.extend({
  'expected-policy-version': z.string().min(1).max(VERSION_LENGTH_MAX).optional(),
});

export const listQuery = z.object({
  'max-results': z.coerce.number().int().min(1).max(RESULTS_MAX).default(RESULTS_MAX),
  'next-token': z.string().max(256).optional(),
});

/** The tags that there may be in all. */
export const hasRoomFor = (all: object): boolean => Object.keys(all).length <= TAGS_MAX;

/** @throws AwsError `ValidationException` that names the first member that is wrong */
function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalidField(String(issue?.path[0] ?? 'input'), issue?.message ?? 'is wrong');
}

export function bodyOf<T>(schema: z.ZodType<T>, request: AwsRequest): T {
  return check(schema, request.body.length === 0 ? {} : parse(request.body.toString()));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('cannotParse', 'The body is not JSON.');
  }
}

/** Of a name that is there more than once, the last one. */
export function queryOf<T>(schema: z.ZodType<T>, request: AwsRequest): T {
  return check(schema, Object.fromEntries(new URLSearchParams(request.query)));
}

/** What a cluster of Aurora DSQL can have, and none here. */
export function refuseUnsupported(input: {
  readonly kmsEncryptionKey?: string | null | undefined;
  readonly multiRegionProperties?: unknown;
}): void {
  const { kmsEncryptionKey: key, multiRegionProperties: regions } = input;
  if (regions !== undefined && regions !== null) throw unsupportedHere('A multi-Region cluster');
  if (key !== undefined && key !== null && key !== OWNED_KEY) {
    throw unsupportedHere('A customer managed key');
  }
}
