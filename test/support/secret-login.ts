import type { ConfigurationConfig } from '../../src/config/model.ts';
import type { TestGateway } from './gateway.ts';

/**
 * Has the gateway's first configuration log in at its origin by a secret of AWS, which a stand-in
 * keeps. Each call makes another configuration of it.
 */
export async function logInBySecret(gateway: TestGateway, secretId: string): Promise<void> {
  const [configuration] = gateway.config.configurations as [ConfigurationConfig];
  const auth = {
    method: 'secrets-manager',
    secretId,
    region: 'eu-central-1',
    usernameKey: 'username',
    passwordKey: 'password',
    profile: null,
    roleArn: null,
    externalId: null,
  } as const;
  const origin = { ...configuration.origin, user: '', password: null, auth };
  const configurations = [{ ...configuration, origin }];
  await gateway.gateway.reload({ ...gateway.config, configurations });
}
