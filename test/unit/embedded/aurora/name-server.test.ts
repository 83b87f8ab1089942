import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointZone } from '../../../../src/embedded/aurora/endpoints.ts';
import { NameServer } from '../../../../src/embedded/aurora/name-server.ts';

const ONE = { name: 'demo-instance-1', address: '127.0.0.21' };
const TWO = { name: 'demo-instance-2', address: '127.0.0.22' };
const THREE = { name: 'demo-instance-3', address: '127.0.0.23' };

const servers: NameServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(zone: EndpointZone): Promise<{ server: NameServer; resolver: Resolver }> {
  const server = await NameServer.start(zone.answer);
  servers.push(server);
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  resolver.setServers([server.address]);
  return { server, resolver };
}

const zoneOf = (): EndpointZone => new EndpointZone('demo', [ONE, TWO, THREE], ONE.name);

describe('the names of a cluster', () => {
  it('lead where they are pointed, with the TTLs of AWS', async () => {
    const zone = zoneOf();
    const { resolver } = await serve(zone);
    const addresses = async (name: string) =>
      (await resolver.resolve4(name, { ttl: true })).map(({ address, ttl }) => [address, ttl]);
    // Without any reader the reader endpoint leads to the writer.
    expect(await addresses(zone.writerEndpoint)).toEqual([[ONE.address, 5]]);
    expect(await addresses(zone.readerEndpoint)).toEqual([[ONE.address, 1]]);
    zone.point(TWO.name, [ONE.name, THREE.name]);
    expect(await addresses(zone.writerEndpoint)).toEqual([[TWO.address, 5]]);
    const turns = [];
    for (let turn = 0; turn < 4; turn++) turns.push(await resolver.resolve4(zone.readerEndpoint));
    expect(turns.map(([address]) => address).toSorted()).toEqual(
      [ONE, ONE, THREE, THREE].map(({ address }) => address),
    );
    expect(await resolver.resolveCname(zone.writerEndpoint)).toEqual([
      'demo-instance-2.abc123def456.us-east-1.rds.amazonaws.com',
    ]);
  });

  it('may be asked in any letters, and are told from those that are not there', async () => {
    const zone = zoneOf();
    const { resolver } = await serve(zone);
    const loud = zone.writerEndpoint.toUpperCase();
    expect(await resolver.resolve4(loud)).toEqual([ONE.address]);
    const instance = 'demo-instance-3.abc123def456.us-east-1.rds.amazonaws.com';
    expect(await resolver.resolve4(instance)).toEqual([THREE.address]);
    await expect(resolver.resolve6(instance)).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolver.resolve4('demo')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolveTxt(instance)).rejects.toMatchObject({ code: 'ENOTIMP' });
  });

  it('are not told to who asks nothing, and the next one is answered', async () => {
    const zone = zoneOf();
    const { server, resolver } = await serve(zone);
    const [address = '', port] = server.address.split(':');
    const stranger = createSocket('udp4');
    const heard: Buffer[] = [];
    stranger.on('message', (packet) => heard.push(packet));
    stranger.bind(0, '127.0.0.1');
    await once(stranger, 'listening');
    const response = Buffer.from('000180000000000000000000', 'hex');
    for (const packet of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(600, 0xff), response]) {
      stranger.send(packet, Number(port), address);
    }
    expect(await resolver.resolve4(zone.writerEndpoint)).toEqual([ONE.address]);
    expect(heard).toEqual([]);
    stranger.close();
  });
});
