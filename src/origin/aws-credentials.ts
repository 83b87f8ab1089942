import type { SignerConfig } from '@aws-sdk/rds-signer';
import { GatewayError } from '../base/errors.ts';
import type { AwsIdentity } from '../config/model.ts';

/** What the SDK asks for credentials. */
export type CredentialProvider = Extract<
  NonNullable<SignerConfig['credentials']>,
  (...given: never[]) => unknown
>;

type Credentials = Awaited<ReturnType<CredentialProvider>>;

/** Identities whose credentials are kept: profiles and roles, times regions. */
const PROVIDERS_MAX = 1_000;

/** Temporary credentials are asked for anew so long before they end; tokens die with them. */
const REFRESH_BEFORE_MS = 900_000;

const ROLE_SESSION_NAME = 'millrace';

const providers = new Map<string, Promise<CredentialProvider>>();

/**
 * Gives the credentials of an identity, and gets new ones before they end: from the profile that is
 * named, else as the SDK finds them (environment, shared files, container, instance); of the role
 * that is named, by assuming it.
 *
 * @param region whose STS is asked for the role
 */
export function credentialsOf(identity: AwsIdentity, region: string): Promise<CredentialProvider> {
  const { profile, roleArn, externalId } = identity;
  const key = JSON.stringify([profile, roleArn, externalId, region]);
  let provider = providers.get(key);
  if (provider === undefined) {
    const [oldest] = providers.keys();
    if (providers.size >= PROVIDERS_MAX && oldest !== undefined) providers.delete(oldest);
    provider = makeProvider(identity, region);
    providers.set(key, provider);
  }
  return provider;
}

async function makeProvider(
  { profile, roleArn, externalId }: AwsIdentity,
  region: string,
): Promise<CredentialProvider> {
  const sdk = await import('@aws-sdk/credential-providers');
  const own = sdk.fromNodeProviderChain({
    ...(profile === null ? {} : { profile }),
    clientConfig: { region },
  });
  if (roleArn === null) return own;
  const assumed = sdk.fromTemporaryCredentials({
    masterCredentials: own,
    params: {
      RoleArn: roleArn,
      RoleSessionName: ROLE_SESSION_NAME,
      ...(externalId === null ? {} : { ExternalId: externalId }),
    },
    clientConfig: { region },
  });
  return kept(assumed);
}

/** The SDK's provider for a role asks each time. */
function kept(provider: CredentialProvider): CredentialProvider {
  let last: Credentials | null = null;
  let asking: Promise<Credentials> | null = null;
  return async (options) => {
    const endMs = last?.expiration?.getTime() ?? Number.POSITIVE_INFINITY;
    const isForced = options?.['forceRefresh'] === true;
    if (last !== null && !isForced && endMs - Date.now() > REFRESH_BEFORE_MS) return last;
    asking ??= provider(options).finally(() => {
      asking = null;
    });
    last = await asking;
    return last;
  };
}

/** Errors of the SDK that say that who asks is missing; by their names. */
const NO_CREDENTIALS: ReadonlySet<string> = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
]);

/**
 * What to tell people when an error of the SDK says that there are no credentials; null when it
 * says something else.
 * @param profile where they were to come from, or null
 */
export function withoutCredentials(error: unknown, profile: string | null): string | null {
  if (!(error instanceof Error) || !NO_CREDENTIALS.has(error.name)) return null;
  const found =
    profile === null
      ? 'no credentials for AWS were found'
      : `the profile ${profile} has no credentials for AWS`;
  return `${found}: set them, or log in anew with "aws sso login"`;
}

/** An error of the SDK as one of ours. Its name is told to clients, its text only to the log. */
export function credentialsFailed(cause: unknown): GatewayError {
  const detail = cause instanceof Error ? cause.name : 'unknown';
  return new GatewayError('MR_ORIGIN_CREDENTIALS', { detail, cause });
}
