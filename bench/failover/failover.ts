/** How long a client that writes all the time writes nothing when a cluster loses its writer. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { silentLog } from '../../src/base/log.ts';
import { AuroraCluster } from '../../src/embedded/aurora/aurora-cluster.ts';
import type { FailoverWay, Subject } from '../cases/case.ts';
import type { Figures } from '../report/figures.ts';
import { ROOT } from '../system/root.ts';
import type { Scratch } from '../system/scratch.ts';
import { HOST } from '../ways/address.ts';
import { Child } from '../ways/child.ts';
import { listeningPort } from '../ways/millrace.ts';

const FOLDER = join(ROOT, 'bench/failover');
const OWNER = { user: 'app', password: 'app-of-the-benchmark' };
const DATABASE = 'demo';
/** Writes that come before anything happens. */
const WARM_UP_COUNT = 50;
/** Who has written nothing for so long after the loss has not come back. */
const GAP_MS_MAX = 60_000;
/** As long as this without a gap, and it has come back for good. */
const CALM_MS = 5_000;

type FailoverSubject = Extract<Subject, { readonly kind: 'failover' }>;

/** Whether AWS's wrapper of the driver is installed beside the benchmark. */
export const hasAwsWrapper = (): boolean =>
  existsSync(join(FOLDER, 'node_modules/aws-advanced-nodejs-wrapper'));

/** Keeps one cluster for all measurements: both sides fail over on the same one. */
export class FailoverMeter {
  readonly #scratch: Scratch;
  #cluster: AuroraCluster | null = null;
  #gateway: Child | null = null;

  constructor(scratch: Scratch) {
    this.#scratch = scratch;
  }

  async measure({ way, loss }: FailoverSubject): Promise<Figures> {
    const cluster = await this.#start();
    const writer = this.#writer(cluster, way);
    try {
      await writer.ready(() => (timesIn(writer.log).length >= WARM_UP_COUNT ? true : null));
      const fromMs = Date.now();
      const { name } = cluster.writer;
      if (loss === 'crash') await cluster.crash(name);
      else {
        if (loss === 'hang') await cluster.freeze(name);
        await cluster.failover();
      }
      await cluster.settled();
      const gapMs = await gapAfter(writer, fromMs);
      if (loss === 'hang') await cluster.thaw(name);
      await cluster.settled();
      return { gapMs };
    } finally {
      await writer.stop('SIGTERM');
    }
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop('SIGTERM');
    await this.#cluster?.stop();
  }

  #writer(cluster: AuroraCluster, way: FailoverWay): Child {
    const { writerEndpoint: host, port, ca } = cluster;
    const gatewayPort = listeningPort(this.#gateway?.log ?? '');
    const target =
      way === 'millrace'
        ? { host: HOST, port: gatewayPort, database: DATABASE, ...OWNER }
        : { host, port, database: DATABASE, ...OWNER, ssl: { ca } };
    const args = ['--import', join(FOLDER, 'names.mjs'), join(FOLDER, 'writer.mjs')];
    const env = {
      ...process.env,
      BENCH_DNS_SERVER: cluster.dnsServer,
      BENCH_DRIVER: way === 'millrace' ? 'pg' : 'wrapper',
      BENCH_TARGET: JSON.stringify(target),
    };
    return new Child(`the client of ${way}`, process.execPath, args, { env });
  }

  async #start(): Promise<AuroraCluster> {
    if (this.#cluster !== null) return this.#cluster;
    const cluster = await AuroraCluster.start({
      superuser: { user: 'rdsadmin', password: 'admin-of-the-benchmark' },
      demo: OWNER,
      log: silentLog,
    });
    this.#cluster = cluster;
    const { writer, port, superuser } = cluster;
    const client = new pg.Client({ host: writer.address, port, database: DATABASE, ...superuser });
    await client.connect();
    await client.query(
      'CREATE TABLE told (at timestamptz DEFAULT now()); GRANT ALL ON told TO app',
    );
    await client.end();
    const caPath = this.#scratch.path('aurora-ca.pem');
    const configPath = this.#scratch.path('aurora.toml');
    await writeFile(caPath, cluster.ca);
    await writeFile(configPath, configOf(cluster, caPath));
    const args = [join(ROOT, 'dist/main.js'), 'serve', '--workers', '1', '--config', configPath];
    const gateway = new Child('Millrace', process.execPath, args, {});
    this.#gateway = gateway;
    await gateway.ready(() => listeningPort(gateway.log));
    return cluster;
  }
}

function configOf({ writerEndpoint, port, dnsServer }: AuroraCluster, caPath: string): string {
  return `[[listeners]]
address = "${HOST}"
port = 0

[[configurations]]
name = "${DATABASE}"

[configurations.origin]
host = "${writerEndpoint}"
port = ${port}
database = "${DATABASE}"
user = "${OWNER.user}"
password = "${OWNER.password}"
ca = "${caPath}"
dns_servers = ["${dnsServer}"]

[[configurations.credentials]]
user = "${OWNER.user}"
password = "${OWNER.password}"
`;
}

/** When writes were acknowledged, as the client's lines say. */
function timesIn(log: string): readonly number[] {
  return log
    .split('\n')
    .map(Number)
    .filter((time) => time > 0);
}

/** The longest time without an acknowledged write, once there are some again for a while. */
async function gapAfter(writer: Child, fromMs: number): Promise<number> {
  for (;;) {
    const times = [fromMs, ...timesIn(writer.log).filter((time) => time >= fromMs)];
    let gapMs = 0;
    for (let n = 1; n < times.length; n++) {
      gapMs = Math.max(gapMs, (times[n] as number) - (times[n - 1] as number));
    }
    const openMs = Date.now() - (times.at(-1) as number);
    if (openMs > GAP_MS_MAX) return openMs;
    if (openMs < gapMs && Date.now() - fromMs > gapMs + CALM_MS) return gapMs;
    await sleep(CALM_MS / 10);
  }
}
