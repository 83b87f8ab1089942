/** How clients are sent away: when the gateway stops, and when their configuration is removed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { TestGateway } from '../support/gateway.ts';
import { nap } from '../support/stage.ts';
import { fieldsOf, type Reply, WireClient } from '../support/wire.ts';
import { query } from '../support/wire-messages.ts';

const SLOW_INSERT = "INSERT INTO item SELECT 'slow' FROM pg_sleep(1)";

let gateway: TestGateway;
let side: WireClient;

beforeEach(async () => {
  gateway = await TestGateway.start({ links: 3 });
  side = await gateway.connectDirect();
  await side.rows('CREATE TABLE item (body text)');
});

afterEach(async () => {
  await side.end();
  await gateway.stop();
});

const sqlstatesOf = (replies: readonly Reply[]): (string | undefined)[] =>
  replies.filter(({ code }) => code === 'E').map(({ body }) => fieldsOf(body)['C']);

describe('a client that is logging in', () => {
  // Fails when the reception is told only that there is no such configuration any more.
  it('is told that the gateway stops, and may come again', async () => {
    const client = await WireClient.dial(gateway.target);
    // The first of the server's words: its question for the password's proof.
    client.socket.once('data', () => void gateway.gateway.close());
    await expect(client.logIn()).rejects.toThrow('terminating connection due to administrator');
    client.vanish();
  });
});

describe('a drain', () => {
  it('that cuts a statement cancels it, so that nothing is committed behind the client', async () => {
    const client = await gateway.connect();
    client.send(query(SLOW_INSERT));
    await nap(150);
    await gateway.gateway.drain(100);
    expect(sqlstatesOf(await client.readToEnd())).toEqual(['57014', '57P01']);
    await nap(1_200);
    expect(await side.rows('SELECT * FROM item')).toEqual([]);
  });

  it('lets what ends within the time come to its end', async () => {
    const client = await gateway.connect();
    client.send(query(SLOW_INSERT));
    await nap(150);
    await gateway.gateway.drain(5_000);
    expect(sqlstatesOf(await client.readToEnd())).toEqual(['57P01']);
    expect(await side.rows('SELECT * FROM item')).toEqual([['slow']]);
  });
});

describe('a configuration that is removed', () => {
  it('lets open transactions end, sends idle clients away, and takes no new ones', async () => {
    const busy = await gateway.connect();
    const idle = await gateway.connect();
    await busy.rows('BEGIN');
    await busy.rows("INSERT INTO item VALUES ('kept')");
    await gateway.gateway.reload({ ...gateway.config, configurations: [] });
    expect(sqlstatesOf(await idle.readToEnd(2_000))).toEqual(['57P01']);
    await expect(gateway.connect()).rejects.toThrow('28P01');
    await busy.rows('COMMIT');
    expect(sqlstatesOf(await busy.readToEnd(2_000))).toEqual(['57P01']);
    expect(await side.rows('SELECT * FROM item')).toEqual([['kept']]);
  });

  it('ends a transaction that goes on for longer than the drain may take', async () => {
    const busy = await gateway.connect();
    await busy.rows('BEGIN');
    await busy.rows("INSERT INTO item VALUES ('lost')");
    const config = { ...gateway.config, drainTimeoutMs: 200, configurations: [] };
    await gateway.gateway.reload(config);
    expect(sqlstatesOf(await busy.readToEnd(3_000))).toEqual(['57P01']);
    expect(await side.rows('SELECT * FROM item')).toEqual([]);
  });
});

describe('listeners', () => {
  it('at one address whose ports the system chooses are all there, and all closed', async () => {
    const [listener] = gateway.config.listeners;
    const config = {
      ...gateway.config,
      listeners: [listener, listener].flatMap((one) => one ?? []),
    };
    const other = await Gateway.start(config, { log: silentLog });
    const ports = other.addresses().map(({ port }) => port);
    expect(new Set(ports).size).toBe(2);
    await other.reload({ ...config, listeners: config.listeners.slice(1) });
    expect(other.addresses().map(({ port }) => port)).toEqual(ports.slice(0, 1));
    await other.close();
  });
});
