/** Clients that lie about lengths, speak out of turn, or say nothing at all. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestGateway } from '../support/gateway.ts';
import { codesOf, errorsOf, fieldsOf, WireClient } from '../support/wire.ts';
import { message, parse, query, sslRequest, startup, sync } from '../support/wire-messages.ts';

/** Far more than a login takes on a busy machine. */
const LOGIN_TIMEOUT_MS = 10_000;
const LENGTHS = [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0x80000004, 0xfffffffe, 0xffffffff];

describe('hostile clients', () => {
  let gateway: TestGateway;

  beforeEach(async () => {
    gateway = await TestGateway.start({ loginTimeoutMs: LOGIN_TIMEOUT_MS });
  });

  afterEach(async () => {
    await gateway.stop();
  });

  async function expectHealthy(): Promise<void> {
    const client = await gateway.connect();
    expect(await client.rows('SELECT 42')).toEqual([['42']]);
    await client.end();
    expect(gateway.complaints).toEqual([]);
  }

  // Fails when decodeFirstPacket takes any length.
  it.each([...LENGTHS, 4, 7, 10_001, 100_000])(
    'hazard 21: a first packet of length %d ends the connection at once',
    async (length) => {
      const client = await WireClient.dial(gateway.target);
      const bytes = startup({ user: gateway.target.user });
      bytes.writeUInt32BE(length);
      client.send(bytes);
      const startedMs = Date.now();
      expect(await client.readToEnd(LOGIN_TIMEOUT_MS)).toHaveLength(0);
      // Not by the time limit of logins, but because of the length.
      expect(Date.now() - startedMs).toBeLessThan(LOGIN_TIMEOUT_MS / 2);
      await expectHealthy();
    },
  );

  // Fails when SocketReader.message takes any length.
  it.each(LENGTHS)('hazard 21: a password message of length %d ends the login', async (length) => {
    const client = await WireClient.dial(gateway.target);
    const { user, database } = gateway.target;
    client.send(startup({ user, database }));
    expect(codesOf([await client.read()])).toBe('R');
    client.send(message('p', Buffer.alloc(20), length));
    // Because of its length, and not by the time limit of logins.
    expect(errorsOf(await client.readToEnd(5_000))).toEqual(['08P01']);
    await expectHealthy();
  });

  // Fails when MessageReader.onHeader takes any length.
  it.each(LENGTHS)(
    'hazard 21: after login, any message of length %d ends the session',
    async (length) => {
      for (const code of 'QPBEDCSHXFdcf') {
        const client = await gateway.connect();
        client.send(message(code, Buffer.from('SELECT 1\0'), length));
        const replies = await client.readToEnd(5_000);
        expect({ code, errors: errorsOf(replies) }).toEqual({ code, errors: ['08P01'] });
        await client.end();
      }
      await expectHealthy();
    },
  );

  // Fails when admit has no deadline.
  it('hazard 21: who says nothing, or drips, is cut off at the login time limit', async () => {
    const impatient = await TestGateway.start({ loginTimeoutMs: 300 });
    const silent = await WireClient.dial(impatient.target);
    const dripping = await WireClient.dial(impatient.target);
    const halfway = await WireClient.dial(impatient.target);
    halfway.send(startup({ user: 'web', database: 'app' }));
    const startedMs = Date.now();
    const drip = setInterval(() => dripping.send(Buffer.from([0])), 50);
    await Promise.all([silent, dripping, halfway].map((one) => one.readToEnd(LOGIN_TIMEOUT_MS)));
    clearInterval(drip);
    expect(Date.now() - startedMs).toBeLessThan(LOGIN_TIMEOUT_MS / 2);
    expect(impatient.complaints).toEqual([]);
    await impatient.stop();
    await expectHealthy();
  });

  // Fails when Framer reserves what a header announces.
  it('hazard 21: memory does not grow with lengths that are only announced', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => gateway.connect()));
    const before = process.memoryUsage().rss;
    for (const client of clients) client.send(message('P', Buffer.alloc(1_000), 0x3ffffff0));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1_048_576);
    for (const client of clients) client.vanish('rst');
    await expectHealthy();
  });

  // Fails when admit leaves the connection of a refused client open, and says nothing.
  it.each([
    ['a second StartupMessage', startup({ user: 'postgres', database: 'app' })],
    ['a Query', query('SELECT 1')],
    ['a Sync', sync()],
    ['a Parse', parse('', 'SELECT 1')],
    ['an SSLRequest', sslRequest()],
    ['zeros', Buffer.alloc(64)],
  ])('hazard 20: %s instead of a password is fatal, and lets nobody in', async (_, bytes) => {
    const client = await WireClient.dial(gateway.target);
    const { user, database } = gateway.target;
    client.send(startup({ user, database }));
    expect(codesOf([await client.read()])).toBe('R');
    client.send(bytes, query('SELECT 1'));
    const replies = await client.readToEnd(5_000);
    expect(codesOf(replies)).toBe('E');
    expect(fieldsOf(replies[0]?.body as Buffer)['S']).toBe('FATAL');
    await expectHealthy();
  });

  // Fails when authenticate believes whoever asks.
  it('hazard 20: what is sent before the login is over is never run', async () => {
    const client = await WireClient.dial(gateway.target);
    const { user, database } = gateway.target;
    client.send(startup({ user, database }), query('CREATE TABLE intruder ()'), query('SELECT 1'));
    const replies = await client.readToEnd(5_000);
    expect(codesOf(replies).startsWith('R')).toBe(true);
    expect(codesOf(replies)).not.toContain('Z');
    const side = await gateway.connectDirect();
    expect(await side.rows("SELECT to_regclass('intruder')")).toEqual([[null]]);
    await side.end();
  });

  it.each([
    ['a Query without its zero', message('Q', Buffer.from('SELECT 1'))],
    ['a Parse without zeros', message('P', Buffer.from('abc'))],
    ['a Parse with too few types', message('P', Buffer.from('\0SELECT 1\0\0\x05\0'))],
    ['a Bind of nothing', message('B', Buffer.alloc(0))],
    ['a Bind with a count of -1', message('B', Buffer.from('\0\0\xff\xff\xff\xff', 'latin1'))],
    ['a Describe of no kind', message('D', Buffer.from('Z\0'))],
    ['a Describe without its zero', message('D', Buffer.from('S'))],
    ['a Close of nothing', message('C', Buffer.alloc(0))],
    ['an Execute without a count', message('E', Buffer.from('\0'))],
    ['an unknown type', message('?', Buffer.from('body'))],
    ['a server’s message', message('Z', Buffer.from('I'))],
  ])('%s is answered by an error or by the end, and the link is fit', async (_, bytes) => {
    const client = await gateway.connect();
    client.send(bytes, sync());
    const first = await client.readOrEnd(3_000);
    if (first !== null) expect(first.code).toBe('E');
    client.vanish();
    await expectHealthy();
    const session = await TestGateway.start({ poolMode: 'session' }, gateway.database);
    try {
      const other = await session.connect();
      other.send(bytes, sync());
      const answer = await other.readOrEnd(3_000);
      if (answer !== null) expect(answer.code).toBe('E');
      other.vanish();
      const next = await session.connect();
      expect(await next.rows('SELECT 42')).toEqual([['42']]);
      await next.end();
    } finally {
      await session.stop();
    }
  });
});
