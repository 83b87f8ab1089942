import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, installedPrograms } from '../support/cluster.ts';
import { psql } from '../support/command.ts';
import { type Serve, startServe } from '../support/millrace.ts';
import { differingLines } from './difference.ts';
import { readSchedule } from './schedule.ts';
import { BY_ONE_LINK, DIFFERENCES, LEFT_OUT } from './scripts.ts';
import { Side } from './side.ts';
import { Stranger } from './strangers.ts';

/** The directory `src/test/regress` of PostgreSQL's sources; `.ci/run` fetches it. */
const sources = process.env['MILLRACE_REGRESS_DIR'] ?? '';

/** Scripts at once; over fewer links, so that they have to take turns. */
const SCRIPTS_AT_ONCE = 6;
const LINKS = 3;
const STRANGERS = 2;
/**
 * The gateway whose strangers name their statements: that of several links. Scripts that look at
 * `pg_prepared_statements`, which shows what the link holds whoever prepared it, go by the other.
 */
const NAMING = 1;
/** A script that keeps a link lets others wait as long as it runs. */
const TIMEOUTS = 'wait_timeout_ms = 600000';
const RUN_TIMEOUT_MS = 900_000;

/** As PostgreSQL's own runner sets it; without autovacuum, which comes when it likes. */
const SERVER = ['autovacuum=off', 'max_prepared_transactions=2'];
const DATABASE = ['lc_messages', 'lc_monetary', 'lc_numeric', 'lc_time']
  .map((name) => `ALTER DATABASE regression SET ${name} TO 'C';`)
  .concat("ALTER DATABASE regression SET timezone_abbreviations TO 'Default'");

async function startCluster(): Promise<Cluster> {
  const cluster = await Cluster.start(await installedPrograms(), SERVER);
  await psql(cluster.url(), 'CREATE DATABASE regression TEMPLATE template0');
  await psql(cluster.url(), DATABASE.join('\n'));
  return cluster;
}

function startGateway(cluster: Cluster, links: number): Promise<Serve> {
  const originUrl = cluster.url('regression');
  const names = { name: 'regression', user: 'postgres' };
  return startServe({ originUrl, links, ...names, timeouts: TIMEOUTS });
}

type Outputs = Map<string, string>;

/** Runs these, some at once. */
async function runAll(side: Side, names: string[], atOnce: number, out: Outputs): Promise<void> {
  const next = async (): Promise<void> => {
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      out.set(name, await side.run(name));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

async function runStraight(cluster: Cluster, groups: string[][]): Promise<Outputs> {
  const out: Outputs = new Map();
  const side = await Side.make(cluster.url('regression'), sources);
  for (const group of groups) await runAll(side, [...group], SCRIPTS_AT_ONCE, out);
  await side.remove();
  return out;
}

/** @param gateways one with a single link, and one with several, before the same database */
async function runThrough(cluster: Cluster, gateways: Serve[], groups: string[][]) {
  const out: Outputs = new Map();
  const [single, several] = await Promise.all(gateways.map(({ url }) => Side.make(url, sources)));
  if (single === undefined || several === undefined) throw new Error('two gateways are needed');
  for (const group of groups) {
    const [alone, together] = [true, false].map((isAlone) =>
      group.filter((name) => BY_ONE_LINK.has(name) === isAlone),
    );
    await Promise.all([
      runAll(single, alone ?? [], 1, out),
      runAll(several, together ?? [], SCRIPTS_AT_ONCE, out),
    ]);
    // What `temp` could prepare, where it expects an error, would hold back every VACUUM.
    await psql(
      cluster.url('regression'),
      "SELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts \\gexec\n",
    );
  }
  for (const side of [single, several]) await side.remove();
  return out;
}

describe.skipIf(sources === '')("PostgreSQL's own regression tests (MILLRACE_REGRESS_DIR)", () => {
  const clusters: Cluster[] = [];
  const gateways: Serve[] = [];
  let groups: string[][];
  let straight: Outputs;
  let through: Outputs;
  let rounds: number[];

  beforeAll(async () => {
    groups = readSchedule(await readFile(join(sources, 'parallel_schedule'), 'utf8'), LEFT_OUT);
    clusters.push(await startCluster(), await startCluster());
    const [reference, origin] = clusters as [Cluster, Cluster];
    gateways.push(await startGateway(origin, 1), await startGateway(origin, LINKS));
    const strangers = await Promise.all(
      gateways.flatMap(({ url }, at) =>
        Array.from({ length: STRANGERS }, () => Stranger.start(url, at === NAMING)),
      ),
    );
    [straight, through] = await Promise.all([
      runStraight(reference, groups),
      runThrough(origin, gateways, groups),
    ]);
    rounds = await Promise.all(strangers.map((stranger) => stranger.stop()));
  }, RUN_TIMEOUT_MS);

  afterAll(async () => {
    for (const gateway of gateways) await gateway.stop();
    for (const cluster of clusters) await cluster.stop();
  });

  it('say the same through the gateway, but for what is known to differ', async () => {
    const wrong: Record<string, string[]> = {};
    for (const name of groups.flat()) {
      const lines = await differingLines(straight.get(name) ?? '', through.get(name) ?? '');
      const allowed = DIFFERENCES.get(name)?.lines ?? [];
      const bad = lines.filter((line) => !allowed.some((known) => known.test(line.slice(1))));
      if (bad.length > 0) wrong[name] = bad.slice(0, 20);
    }
    expect(wrong).toEqual({});
  });

  it('say straight what PostgreSQL expects, so that equal failures prove nothing wrong', async () => {
    let asExpected = 0;
    for (const [name, said] of straight) {
      const expected = await readFile(join(sources, 'expected', `${name}.out`), 'utf8');
      if (said === `${expected}\n--- ended with 0\n`) asExpected++;
    }
    expect(asExpected).toBeGreaterThan(straight.size * 0.8);
  });

  it('were disturbed by others on the same links all the time', () => {
    expect(Math.min(...rounds)).toBeGreaterThan(100);
  });
});
