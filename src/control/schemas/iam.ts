/** Users, roles, their keys and policies, and clusters, on the wire of the own API. */
import * as z from 'zod';
import { ACCOUNT_ID, IAM_NAME } from '../../aws/arn.ts';
import { DURATION_MAX_S } from '../aws/sts.ts';
import { time } from './common.ts';

const DURATION_MIN_S = 3_600;
const ORIGIN_URLS_MAX = 16;
const URL_LENGTH_MAX = 4_096;

export const awsAccountParams = z.object({
  account_id: z.string().regex(ACCOUNT_ID).meta({
    description: 'Any twelve digits: the account of identities and clusters, as in their ARNs',
  }),
});

export const iamName = z.string().regex(IAM_NAME, 'must have 1 to 64 of A-Z a-z 0-9 _ + = , . @ -');

/** A policy as JSON. */
const policyDocument = z.record(z.string(), z.unknown()).meta({ id: 'PolicyDocument' });

export const userInput = z.strictObject({ name: iamName }).meta({ id: 'IamUserInput' });

const principalResult = z.object({
  id: z.string(),
  name: z.string(),
  arn: z.string(),
  created_on: time,
});

export const userResult = principalResult.meta({ id: 'IamUser' });

export const roleInput = z
  .strictObject({
    name: iamName,
    trust_policy: policyDocument,
    max_session_duration: z.int().min(DURATION_MIN_S).max(DURATION_MAX_S).default(DURATION_MIN_S),
  })
  .meta({ id: 'IamRoleInput' });

export const roleResult = principalResult
  .extend({ trust_policy: policyDocument, max_session_duration: z.int() })
  .meta({ id: 'IamRole' });

const keyStatus = z.enum(['Active', 'Inactive']);

export const keyInput = z.strictObject({ status: keyStatus }).meta({ id: 'AccessKeyInput' });

export const keyResult = z
  .object({ id: z.string(), status: keyStatus, created_on: time })
  .meta({ id: 'AccessKey' });

/** Shown once. */
export const mintedKey = keyResult
  .extend({ secret_access_key: z.string() })
  .meta({ id: 'MintedAccessKey' });

export const policyInput = z
  .strictObject({ document: policyDocument })
  .meta({ id: 'IamPolicyInput' });

export const policyResult = z
  .object({ name: z.string(), document: policyDocument, modified_on: time })
  .meta({ id: 'IamPolicy' });

export const clusterInput = z
  .strictObject({
    origin_urls: z.array(z.string().min(1).max(URL_LENGTH_MAX)).max(ORIGIN_URLS_MAX).default([]),
    deletion_protection: z.boolean().default(false),
    tags: z.record(z.string().min(1).max(128), z.string().max(256)).default({}),
  })
  .meta({ id: 'ClusterInput' });

export const clusterResult = z
  .object({
    id: z.string(),
    arn: z.string(),
    endpoint: z.string(),
    status: z.enum(['CREATING', 'ACTIVE', 'DELETING', 'FAILED']),
    created_on: time,
    deletion_protection: z.boolean(),
    tags: z.record(z.string(), z.string()),
    origin: z.enum(['embedded', 'given']).meta({ description: 'Whose PostgreSQL is below' }),
  })
  .meta({ id: 'Cluster' });
