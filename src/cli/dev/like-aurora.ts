/** `millrace dev --like aurora`: a cluster behind the gateway. */
import { readEndpointName } from '../../aws/endpoint-name.ts';
import type { Log } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { AuroraCluster } from '../../embedded/aurora/aurora-cluster.ts';
import { freshPassword } from '../control/open-store.ts';
import { eventText } from './aurora-report.ts';
import { DEV_ROLE, demoOrigin } from './dev-options.ts';

/** The superuser of RDS itself, which no customer is. */
const SUPERUSER = 'rdsadmin';

export async function startAurora(log: Log): Promise<AuroraCluster> {
  const cluster = await AuroraCluster.start({
    superuser: { user: SUPERUSER, password: freshPassword() },
    demo: DEV_ROLE,
    log,
  });
  cluster.onEvent((event) => log.info({}, eventText(event)));
  return cluster;
}

/** As somebody would configure it for AWS, but for the DNS server and the authority. */
export function auroraOrigin({ writerEndpoint, port, ca, dnsServer }: AuroraCluster): OriginConfig {
  return {
    ...demoOrigin({ host: writerEndpoint, port }),
    instanceHostPattern: readEndpointName(writerEndpoint)?.instancePattern ?? null,
    kind: 'aurora',
    sslmode: 'verify-full',
    ca,
    dnsServers: [dnsServer],
  };
}
