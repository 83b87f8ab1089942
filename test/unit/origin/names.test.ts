/** Where the name of an origin leads, now and when it has moved. */
import { createSocket } from 'node:dgram';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayError } from '../../../src/base/errors.ts';
import type { OriginConfig } from '../../../src/config/model.ts';
import { type NameRecord, NameServer } from '../../../src/embedded/aurora/name-server.ts';
import { connectOrigin, requestCancel } from '../../../src/origin/connect.ts';
import { pki } from '../../support/pki.ts';
import { answering, OPTIONS, offeringTls, originAt, WELCOME } from './fake-server.ts';

const CLUSTER = 'demo.cluster-abc123.us-east-1.rds.amazonaws.com';

const endings: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

const a = (data: string): NameRecord => ({ type: 'A', name: CLUSTER, data, ttlS: 5 });

/** A name server whose answers the test may change. */
async function names(
  records: Map<string, readonly NameRecord[]>,
): Promise<{ readonly address: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = await NameServer.start((name) => {
    asked.push(name);
    return records.get(name) ?? null;
  });
  endings.push(() => server.stop());
  return { address: server.address, asked };
}

/** A server at the address and port; port 0 for any. */
async function serveAt(
  address: string,
  port: number,
  how: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly count: () => number }> {
  let count = 0;
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    count++;
    how(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  endings.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, count: () => count };
}

async function failure(origin: OriginConfig, connectTimeoutMs = 5_000): Promise<GatewayError> {
  const attempt = connectOrigin(origin, { ...OPTIONS, connectTimeoutMs });
  return (await attempt.then(
    () => new Error('it connected'),
    (error: unknown) => error,
  )) as GatewayError;
}

describe('the name of an origin with dns_servers', () => {
  it('is looked up there, anew for each link', async () => {
    const records = new Map([[CLUSTER, [a('127.0.0.2')]]]);
    const { address, asked } = await names(records);
    const { port } = await serveAt('127.0.0.2', 0, answering(WELCOME));
    await serveAt('127.0.0.3', port, answering(WELCOME));
    const origin = originAt(port, { host: CLUSTER, dnsServers: [address] });
    const first = await connectOrigin(origin, OPTIONS);
    records.set(CLUSTER, [a('127.0.0.3')]);
    const second = await connectOrigin(origin, OPTIONS);
    expect([first.address, second.address]).toEqual(['127.0.0.2', '127.0.0.3']);
    expect(asked).toEqual([CLUSTER, CLUSTER]);
    for (const { socket } of [first, second]) socket.destroy();
  });

  it('may be an alias, have several addresses, and none but IPv6 ones', async () => {
    const node = 'one.abc123.us-east-1.rds.amazonaws.com';
    const alias: NameRecord = { type: 'CNAME', name: CLUSTER, data: node, ttlS: 5 };
    const records = new Map([[CLUSTER, [alias, { ...a('127.0.0.2'), name: node }]]]);
    const { address } = await names(records);
    const { port } = await serveAt('127.0.0.2', 0, answering(WELCOME));
    await serveAt('::1', port, answering(WELCOME));
    const origin = originAt(port, { host: CLUSTER, dnsServers: [address] });
    const linked = async (): Promise<string> => {
      const link = await connectOrigin(origin, OPTIONS);
      link.socket.destroy();
      return link.address;
    };
    expect(await linked()).toBe('127.0.0.2');
    // Nobody is at the first of them.
    records.set(CLUSTER, [a('127.0.0.77'), a('127.0.0.2')]);
    expect(await linked()).toBe('127.0.0.2');
    records.set(CLUSTER, [{ ...a('::1'), type: 'AAAA' }]);
    expect(await linked()).toBe('::1');
  });

  it('is told with the servers to the log, and with neither to clients, when it is unknown', async () => {
    const { address } = await names(new Map([['empty.example', []]]));
    const origin = originAt(5432, { host: CLUSTER, dnsServers: [address] });
    const unknown = await failure(origin);
    expect(unknown).toMatchObject({ code: 'MR_ORIGIN_NAME', detail: 'ENOTFOUND' });
    expect((unknown.cause as Error).message).toBe(`ENOTFOUND for ${CLUSTER} from ${address}`);
    expect((await failure({ ...origin, host: 'empty.example' })).detail).toBe('ENODATA');
  });

  it('is waited for as long as for the connection, and for no longer', async () => {
    const mute = createSocket('udp4');
    await new Promise<void>((resolve) => mute.bind(0, '127.0.0.1', resolve));
    endings.push(() => mute.close());
    const address = `127.0.0.1:${mute.address().port}`;
    const began = performance.now();
    const error = await failure(originAt(5432, { host: CLUSTER, dnsServers: [address] }), 300);
    expect(error.code).toBe('MR_ORIGIN_TIMEOUT');
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  it('is not asked about when it is an address', async () => {
    const { address, asked } = await names(new Map());
    const { port } = await serveAt('127.0.0.1', 0, answering(WELCOME));
    const link = await connectOrigin(originAt(port, { dnsServers: [address] }), OPTIONS);
    expect(link.address).toBe('127.0.0.1');
    expect(asked).toEqual([]);
    link.socket.destroy();
  });
});

describe('a cancel request', () => {
  // Fails when it goes where the name leads at that moment.
  it('goes to the server that the link is with, though the name has moved meanwhile', async () => {
    const records = new Map([['localhost', [{ ...a('127.0.0.2'), name: 'localhost' }]]]);
    const { address } = await names(records);
    const closing = offeringTls('server', (secure) => {
      secure.once('data', (chunk: Buffer) => {
        if (chunk.readUInt32BE(4) === 80_877_102) secure.end();
        else secure.write(WELCOME);
      });
    });
    const old = await serveAt('127.0.0.2', 0, closing);
    const next = await serveAt('127.0.0.3', old.port, closing);
    const changes = { sslmode: 'verify-full', ca: pki('ca.crt'), host: 'localhost' } as const;
    const origin = originAt(old.port, { ...changes, dnsServers: [address] });
    const link = await connectOrigin(origin, OPTIONS);
    records.set('localhost', [{ ...a('127.0.0.3'), name: 'localhost' }]);
    // The name in the certificate is still the origin's: an address alone is in none.
    expect(await requestCancel(origin, link, 2_000)).toBe('sent');
    expect([old.count(), next.count()]).toEqual([2, 0]);
    link.socket.destroy();
  });
});
