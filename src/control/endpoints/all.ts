/** Every row of the API. */
import type { Endpoint } from '../http/endpoint.ts';
import { actionEndpoints } from './actions.ts';
import { administrationEndpoints } from './administration.ts';
import { certificateEndpoints } from './certificates.ts';
import { configurationEndpoints } from './configurations.ts';
import { credentialEndpoints } from './credentials.ts';

export const endpoints: readonly Endpoint[] = [
  ...configurationEndpoints,
  ...actionEndpoints,
  ...credentialEndpoints,
  ...certificateEndpoints,
  ...administrationEndpoints,
];
