/** The DSQL endpoint of `millrace dev`: one cluster, and an identity that may use it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { AWS_ACCOUNT_DEFAULT, REGION_DEFAULT } from '../../control/aws/aws-plane.ts';
import { type DevIdentity, ensureDevIdentity } from '../../control/aws/dev-identity.ts';
import { clusterEndpoint } from '../../dsql/clusters/cluster-record.ts';
import { random } from '../../gateway/system.ts';
import type { Store } from '../../store/store.ts';
import { RunningDsql } from '../dsql/dsql-program.ts';
import { systemCodeOf } from '../failure.ts';
import { DEV_ADDRESS, type DevOptions } from './dev-options.ts';
import type { DsqlReady } from './dsql-report.ts';
import { onFirstFreePort } from './first-free-port.ts';

/** An address of this machine's own beside that of the gateway, so that both can have port 5432. */
const ADDRESS = '127.0.0.2';
/** Making a cluster takes some seconds, on a machine with much else to do some more. */
const UP_MS_MAX = 120_000;
const LOOK_MS = 50;
const ACTOR = 'millrace dev';

export type DevDsql = {
  readonly running: RunningDsql;
  /** @param apiUrl where the APIs of AWS are; null when there is none */
  ready(apiUrl: string | null): DsqlReady;
};

/** @throws GatewayError `MR_LISTEN_FAILED`, `MR_STORE_…`, `MR_EMBEDDED_FAILED` */
export async function startDevDsql(options: DevOptions, store: Store, log: Log): Promise<DevDsql> {
  const running = await listenSomewhere(options, store, log);
  try {
    const identity = await ensureDevIdentity(store, AWS_ACCOUNT_DEFAULT, random);
    await running.plane.identities.refresh();
    const id = await clusterOf(running, store);
    await untilUp(running, id);
    return { running, ready: (apiUrl) => readyOf(running, id, identity, apiUrl) };
  } catch (error) {
    await running.close();
    throw error;
  }
}

/** At an address of its own where the system has one, else beside the gateway. */
async function listenSomewhere(options: DevOptions, store: Store, log: Log): Promise<RunningDsql> {
  const { dsqlPort, isDsqlPortExplicit, isEphemeral, dataDir } = options;
  const startAt = (address: string) => (port: number) =>
    RunningDsql.start({
      config: {
        address,
        port,
        region: REGION_DEFAULT,
        accountId: AWS_ACCOUNT_DEFAULT,
        dataDir,
        tls: null,
      },
      store,
      isEphemeral,
      log,
    });
  const start = async (address: string): Promise<RunningDsql> => {
    if (isDsqlPortExplicit) return await startAt(address)(dsqlPort);
    const { started, port } = await onFirstFreePort(dsqlPort, startAt(address));
    if (port !== dsqlPort) {
      log.info({}, `port ${dsqlPort} of ${address} is in use, the DSQL endpoint takes ${port}`);
    }
    return started;
  };
  try {
    return await start(ADDRESS);
  } catch (error) {
    if (!(error instanceof GatewayError) || systemCodeOf(error.cause) !== 'EADDRNOTAVAIL') {
      throw error;
    }
    return await start(DEV_ADDRESS);
  }
}

/** That of an earlier run, or a new one. */
async function clusterOf({ clusters, region }: RunningDsql, store: Store): Promise<string> {
  const isMine = (id: string): boolean => clusters.find(id) !== null;
  const kept = (await store.clusters.list()).find(({ id }) => isMine(id));
  if (kept !== undefined) return kept.id;
  const made = await clusters.create(
    {
      accountId: AWS_ACCOUNT_DEFAULT,
      region,
      isDeletionProtected: false,
      tags: { Name: 'dev' },
      policy: null,
      originUrls: [],
      clientToken: null,
      requestHash: '',
    },
    ACTOR,
  );
  if (typeof made === 'string') {
    throw new GatewayError('MR_INTERNAL', { detail: `no cluster could be made: ${made}` });
  }
  return made.cluster.id;
}

async function untilUp({ clusters }: RunningDsql, id: string): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
    const found = clusters.find(id);
    if (found !== 'waking' && found !== null) return;
    const isHopeless = clusters.record(id)?.status === 'FAILED';
    if (isHopeless || waitedMs >= UP_MS_MAX) {
      const subject = 'the PostgreSQL of the DSQL cluster did not start; the log says why';
      throw new GatewayError('MR_EMBEDDED_FAILED', { subject });
    }
    await sleep(LOOK_MS);
  }
}

function readyOf(
  { endpoint, caFile, region, clusters }: RunningDsql,
  id: string,
  { accessKeyId, secretAccessKey }: DevIdentity,
  apiUrl: string | null,
): DsqlReady {
  const record = clusters.record(id);
  return {
    endpoint: record === null ? '' : clusterEndpoint(record),
    host: endpoint.address,
    port: endpoint.port,
    region,
    ca_file: caFile ?? '',
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    api_url: apiUrl,
  };
}
