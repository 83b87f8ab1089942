/** The API of clusters, and identities. */
import type { CoverageRows } from './rows.ts';

export const planeRows: CoverageRows = {
  '4.1': [
    'CreateCluster, GetCluster, ListClusters, DeleteCluster',
    'same; a real PostgreSQL for each',
  ],
  '4.2': ['UpdateCluster: protection', 'same'],
  '4.3': [
    'deletion protection: ValidationException, reason `deletionProtectionEnabled`',
    'same; off unless asked for, which is our choice',
  ],
  '4.4': [
    'Put, Get and DeleteClusterPolicy with versions, and the check against locking oneself out',
    'same',
  ],
  '4.5': ['TagResource, UntagResource, ListTagsForResource, at most 200', 'same'],
  '4.6': ['GetVpcEndpointServiceName', 'same form; there is no such service'],
  '4.7': ['streams', 'differs: each operation is refused as unsupported'],
  '4.8': ['several Regions, a witness', 'differs: refused as unsupported'],
  '4.9': ['keys of one’s own for encryption', 'differs: refused as unsupported'],
  '4.10': ['one request token makes one cluster, with another content it is a conflict', 'same'],
  '4.11': ['requests are signed by Signature Version 4, and judged by policies', 'same'],
  '4.12': [
    'ValidationException with reason and fields, ResourceNotFound, Conflict, AccessDenied, in the forms of the SDK',
    'same; most texts are our choice',
  ],
  '4.13': ['20 clusters, then ServiceQuotaExceeded with status 402', 'same'],
  '4.14': ['lists have pages of 1 to 100', 'same'],
  '4.15': ['the waiters of the SDK for an active cluster and for one that is gone', 'same'],
  '4.16': [
    'statuses CREATING, ACTIVE, DELETING, FAILED and others',
    'differs: never IDLE, INACTIVE or PENDING; a cluster whose server starts again is waking',
  ],
  '4.17': [
    'STS: AssumeRole and GetCallerIdentity by the real SDK',
    'same, with trust policies, external ids and durations',
  ],
  '4.18': [
    'users, roles, access keys and policies',
    'same where kept here: by the command line and the own API',
  ],
  '4.19': [
    'throttling, quotas of streams and restores, backups',
    'not done: there is nothing to protect',
  ],
};
