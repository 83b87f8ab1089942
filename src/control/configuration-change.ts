/** What POST, PUT and PATCH make of a configuration: pure, from the request and what was there. */
import type { ConfigurationDraft } from '../store/configurations.ts';
import type { StoredCaching, StoredMtls, StoredOrigin } from '../store/tables.ts';
import { ApiError } from './api-error.ts';
import type {
  ConfigurationInput,
  ConfigurationPatch,
  OriginInput,
} from './schemas/configuration.ts';

const SCHEME_DEFAULT = 'postgresql';

type Origin = Pick<ConfigurationDraft, 'origin' | 'originPassword'>;

function refuseForeign(origin: OriginInput): void {
  const { access_client_id, access_client_secret, service_id, scheme } = origin;
  if (access_client_id !== undefined || access_client_secret !== undefined) {
    const text =
      'Origins behind Cloudflare Access are not supported: run Millrace where it reaches the ' +
      'database, and give origin.host and origin.port';
    throw new ApiError('privateOrigin', text);
  }
  if (service_id !== undefined) {
    const text =
      'Origins behind a Workers VPC service are not supported: run Millrace where it reaches the ' +
      'database, and give origin.host and origin.port';
    throw new ApiError('privateOrigin', text);
  }
  if (scheme === 'mysql') throw new ApiError('mysql');
}

function missing(keys: readonly string[]): never {
  const names = keys.map((key) => `origin.${key}`).join(', ');
  throw new ApiError('invalid', `The body is not valid: ${names} must be given`);
}

/** A whole origin: everything but the scheme must be there. */
function wholeOrigin(given: OriginInput): Origin {
  refuseForeign(given);
  const { scheme = SCHEME_DEFAULT, host, port, database, user, password } = given;
  const required = { host, port, database, user, password };
  const absent = Object.entries(required).filter(([, value]) => value === undefined);
  if (
    host === undefined ||
    port === undefined ||
    database === undefined ||
    user === undefined ||
    password === undefined ||
    scheme === 'mysql'
  ) {
    return missing(absent.map(([key]) => key));
  }
  return { origin: { scheme, host, port, database, user }, originPassword: password };
}

/** Database, user, password and scheme one by one; host and port only together. */
function patchedOrigin(before: Origin, given: OriginInput): Origin {
  refuseForeign(given);
  const { scheme, host, port, database, user, password } = given;
  if ((host === undefined) !== (port === undefined)) {
    missing([host === undefined ? 'host' : 'port']);
  }
  const origin: StoredOrigin = {
    scheme: scheme === undefined || scheme === 'mysql' ? before.origin.scheme : scheme,
    host: host ?? before.origin.host,
    port: port ?? before.origin.port,
    database: database ?? before.origin.database,
    user: user ?? before.origin.user,
  };
  // A password that was given for one host is not sent to another that somebody names without it.
  const isElsewhere = origin.host !== before.origin.host || origin.port !== before.origin.port;
  if (isElsewhere && password === undefined) missing(['password']);
  return { origin, originPassword: password ?? before.originPassword };
}

function checkedCaching(caching: StoredCaching): StoredCaching {
  const { disabled, max_age, stale_while_revalidate } = caching;
  if (disabled && (max_age !== undefined || stale_while_revalidate !== undefined)) {
    const text =
      'The body is not valid: caching.max_age and caching.stale_while_revalidate have no place ' +
      'where caching.disabled is true';
    throw new ApiError('invalid', text);
  }
  return caching;
}

export function createdDraft(input: ConfigurationInput): ConfigurationDraft {
  return {
    name: input.name,
    ...wholeOrigin(input.origin),
    caching: checkedCaching(input.caching ?? { disabled: false }),
    mtls: input.mtls ?? {},
    originConnectionLimit: input.origin_connection_limit ?? null,
  };
}

/** PUT: what is left out of caching is reset; mtls and the limit are kept when left out. */
export function replacedDraft(
  before: ConfigurationDraft,
  input: ConfigurationInput,
): ConfigurationDraft {
  return {
    ...createdDraft(input),
    mtls: input.mtls ?? before.mtls,
    originConnectionLimit:
      input.origin_connection_limit === undefined
        ? before.originConnectionLimit
        : input.origin_connection_limit,
  };
}

/** PATCH: disabling the cache discards its times, and giving one of them enables nothing. */
function patchedCaching(
  before: StoredCaching,
  given: NonNullable<ConfigurationPatch['caching']>,
): StoredCaching {
  const disabled = given.disabled ?? before.disabled;
  if (disabled) return checkedCaching({ ...given, disabled });
  return { ...before, ...given, disabled };
}

export function patchedDraft(
  before: ConfigurationDraft,
  patch: ConfigurationPatch,
): ConfigurationDraft {
  const mtls: StoredMtls =
    patch.mtls === undefined ? before.mtls : { ...before.mtls, ...patch.mtls };
  return {
    name: patch.name ?? before.name,
    ...(patch.origin === undefined
      ? { origin: before.origin, originPassword: before.originPassword }
      : patchedOrigin(before, patch.origin)),
    caching:
      patch.caching === undefined ? before.caching : patchedCaching(before.caching, patch.caching),
    mtls,
    originConnectionLimit:
      patch.origin_connection_limit === undefined
        ? before.originConnectionLimit
        : patch.origin_connection_limit,
  };
}

/** Whether a change leads somewhere else, or logs in differently, and so has to be proven. */
export function touchesOrigin(before: ConfigurationDraft, after: ConfigurationDraft): boolean {
  const parts = ({ origin, originPassword, mtls }: ConfigurationDraft) =>
    JSON.stringify([origin, originPassword, mtls]);
  return parts(before) !== parts(after);
}
