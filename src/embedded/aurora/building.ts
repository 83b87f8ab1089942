/** From nothing to the nodes of a cluster, none of which runs yet. */
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../../base/log.ts';
import { type Binaries, findBinaries } from '../binaries.ts';
import { CertificateAuthority } from '../certificates.ts';
import { makeCluster, type Role, runStandalone } from '../cluster.ts';
import { embeddedFailure } from '../failure.ts';
import { giveBack, type Held, openScratch } from '../holding.ts';
import { initializeDatabase } from '../initialize.ts';
import { PortTakenError, type ServerSettings } from '../server-process.ts';
import { addressesOf, checkAddresses } from './addresses.ts';
import { AuroraNode } from './aurora-node.ts';
import { instanceEndpointOf, readerEndpointOf, writerEndpointOf } from './endpoints.ts';
import type { FrontMaker } from './front.ts';
import { INCLUDE_ROLE } from './node-files.ts';
import { shimRolesSql, shimSql } from './shims.sql.ts';

/** As many readers as Aurora allows, and the writer. */
export const INSTANCES_MAX = 16;
/** Ports that are tried until one is free at every address. */
const PORT_ATTEMPTS_MAX = 12;

export type NodesParts = {
  readonly cluster: string;
  readonly count: number;
  readonly superuser: Role;
  readonly replicationPassword: string;
  readonly demo: Role | null;
  readonly settings: ServerSettings;
  readonly front: FrontMaker | null;
  readonly log: Log;
  readonly onDied: (node: AuroraNode) => void;
};

export type Built = {
  readonly nodes: readonly [AuroraNode, ...AuroraNode[]];
  /** PEM text of the root that signed their certificates. */
  readonly ca: string;
};

/** The first data directory, of which the others become copies. */
async function makeData(held: Held, binaries: Binaries, parts: NodesParts): Promise<void> {
  const { home } = held;
  const { superuser, demo, replicationPassword } = parts;
  const secrets = [superuser.password, replicationPassword, demo?.password ?? ''];
  await makeCluster(home, binaries, superuser);
  await appendFile(join(home.cluster, 'postgresql.conf'), INCLUDE_ROLE);
  // What is made from the template has them too.
  const inTemplate = [shimRolesSql(replicationPassword), shimSql];
  await runStandalone(home, binaries, 'template1', inTemplate, secrets);
  await runStandalone(home, binaries, 'postgres', [shimSql], secrets);
  if (demo !== null) await initializeDatabase(home, binaries, superuser, demo);
}

/** Makes the nodes and their data. What was taken is given back when that fails. */
export async function buildNodes(parts: NodesParts): Promise<Built> {
  const { cluster, count } = parts;
  const authority = new CertificateAuthority(`Millrace stand-in for the roots of RDS, ${cluster}`);
  const taken: Held[] = [];
  let binaries: Binaries | null = null;
  const places = Array.from({ length: count }, (_, at) => addressesOf(at + 1));
  await checkAddresses(places.map(({ address }) => address));
  try {
    const nodes: AuroraNode[] = [];
    for (const [at, { address, serverAddress }] of places.entries()) {
      const held = await openScratch(parts.log);
      taken.push(held);
      binaries ??= await findBinaries(held.home.account);
      const name = `${cluster}-instance-${at + 1}`;
      const host = instanceEndpointOf(name);
      const clusterEndpoints = [writerEndpointOf(cluster), readerEndpointOf(cluster)];
      const node = new AuroraNode({
        name,
        host,
        clusterEndpoints,
        address,
        held,
        binaries,
        superuser: parts.superuser,
        replicationPassword: parts.replicationPassword,
        certificate: authority.issue([host, ...clusterEndpoints]),
        ca: authority.cert,
        settings: parts.settings,
        front: parts.front === null ? null : { serverAddress, make: parts.front },
        onDied: parts.onDied,
      });
      await node.prepare();
      if (nodes[0] === undefined) await makeData(held, binaries, parts);
      else await node.copyFrom(nodes[0]);
      nodes.push(node);
    }
    const [first, ...others] = nodes;
    if (first === undefined) throw embeddedFailure('a cluster has at least one instance');
    return { nodes: [first, ...others], ca: authority.cert };
  } catch (error) {
    for (const held of taken) await giveBack(held).catch(() => {});
    throw error;
  }
}

/**
 * Starts all of them, the first as the writer, at a port that is free at every address: the
 * topology of Aurora tells no ports, so that they must be the same.
 *
 * @returns the port
 */
export async function startNodes([writer, ...readers]: Built['nodes']): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    await writer.setRole({ follows: null, followers: [] });
    const port = await writer.start(0);
    try {
      for (const reader of readers) {
        await reader.setRole({ follows: { address: writer.serverAddress, port } });
        await reader.markStandby();
      }
      await Promise.all(readers.map((reader) => reader.start(port)));
      return port;
    } catch (error) {
      for (const node of [...readers, writer]) await node.shutDown();
      if (!(error instanceof PortTakenError) || attempt >= PORT_ATTEMPTS_MAX) throw error;
    }
  }
}
