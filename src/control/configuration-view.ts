/** A configuration as it goes over the wire: never a secret. */
import type { CachingConfig, ConfigurationConfig } from '../config/model.ts';
import { poolingDefaults } from '../config/pooling.ts';
import type { ConfigurationRecord } from '../store/configurations.ts';
import type { ConfigurationResult } from './schemas/configuration.ts';
import { fileConfigurationId } from './served.ts';

export function viewOfRecord(record: ConfigurationRecord, isServed: boolean): ConfigurationResult {
  const { restartedOn } = record;
  return {
    id: record.id,
    name: record.name,
    origin: record.origin,
    caching: record.caching,
    mtls: record.mtls,
    origin_connection_limit: record.originConnectionLimit ?? poolingDefaults.originConnectionLimit,
    created_on: record.createdOn.toISOString(),
    modified_on: record.modifiedOn.toISOString(),
    ...(restartedOn === null ? {} : { restarted_on: restartedOn.toISOString() }),
    millrace: { source: 'store', served: isServed },
  };
}

/** A file does not say when it was written; what reads these must find a time. */
const NO_TIME = new Date(0).toISOString();

function cachingView(caching: CachingConfig): ConfigurationResult['caching'] {
  const { disabled, maxAgeMs, staleWhileRevalidateMs } = caching;
  if (disabled) return { disabled };
  return {
    disabled,
    max_age: maxAgeMs / 1000,
    stale_while_revalidate: staleWhileRevalidateMs / 1000,
  };
}

export function viewOfFile(config: ConfigurationConfig): ConfigurationResult {
  const { host, port, database, user, sslmode } = config.origin;
  return {
    id: fileConfigurationId(config.name),
    name: config.name,
    origin: { scheme: 'postgresql', host, port, database, user },
    caching: cachingView(config.caching),
    mtls: { sslmode },
    origin_connection_limit: config.originConnectionLimit,
    created_on: NO_TIME,
    modified_on: NO_TIME,
    millrace: { source: 'file', served: true },
  };
}
