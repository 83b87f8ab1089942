/** Every row of the API. */
import type { Endpoint } from '../http/endpoint.ts';
import { actionEndpoints } from './actions.ts';
import { administrationEndpoints } from './administration.ts';
import { certificateEndpoints } from './certificates.ts';
import { clusterEndpoints } from './clusters.ts';
import { configurationEndpoints } from './configurations.ts';
import { credentialEndpoints } from './credentials.ts';
import { iamCredentialEndpoints } from './iam-credentials.ts';
import { principalEndpoints } from './iam-principals.ts';

export const endpoints: readonly Endpoint[] = [
  ...configurationEndpoints,
  ...actionEndpoints,
  ...credentialEndpoints,
  ...certificateEndpoints,
  ...administrationEndpoints,
  ...principalEndpoints,
  ...iamCredentialEndpoints,
  ...clusterEndpoints,
];
