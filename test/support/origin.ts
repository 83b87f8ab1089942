/** An origin as the configuration has it that says nothing special of it. */
import type { OriginConfig } from '../../src/config/model.ts';

/** What every origin has of its own. */
type Essentials = Pick<OriginConfig, 'host' | 'port' | 'database' | 'user' | 'password'>;

/** PostgreSQL by a password and without TLS, but for `changes`. */
export function plainOrigin(origin: Essentials & Partial<OriginConfig>): OriginConfig {
  return {
    kind: 'postgres',
    auth: { method: 'password' },
    sslmode: 'disable',
    sslnegotiation: 'postgres',
    channelBinding: 'prefer',
    instanceHostPattern: null,
    readerLagMsMax: null,
    tlsServerName: null,
    dnsServers: null,
    ca: null,
    clientCert: null,
    clientKey: null,
    ...origin,
  };
}
