import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import type { PostgresLink } from '../../../../src/dsql/server/postgres-link.ts';
import { Servers } from '../../../../src/dsql/server/servers.ts';
import { originOf } from '../../../support/dsql-below.ts';
import { FakePostgres } from '../../../support/fake-postgres.ts';

const clock = { nowMs: () => performance.now() };
const WAIT_MS = 1_500;

let one: FakePostgres;
let other: FakePostgres;
let servers: Servers;
const warnings: object[] = [];

beforeEach(async () => {
  one = await FakePostgres.start();
  other = await FakePostgres.start();
  servers = await serversOf(one, other);
});

afterEach(async () => {
  servers.close();
  warnings.length = 0;
  await Promise.all([one.stop(), other.stop()]);
});

async function serversOf(...fakes: FakePostgres[]): Promise<Servers> {
  const origins = await Promise.all(fakes.map(({ url }) => originOf(url)));
  const log = { ...silentLog, warn: (fields: object) => void warnings.push(fields) };
  return new Servers({ origins, waitMs: WAIT_MS, clock, log });
}

/** Opens a link, and says by which server. */
async function opened(role = 'reader'): Promise<{ link: PostgresLink; by: FakePostgres }> {
  const link = await servers.open({ role, password: null });
  return { link, by: one.open.includes(role) ? one : other };
}

describe('Servers', () => {
  it('opens links to the server that takes writes, wherever it stands in the list', async () => {
    one.inRecovery = true;
    expect((await opened()).by).toBe(other);
    expect((await opened()).by).toBe(other);
  });

  it('logs in as the endpoint itself when nobody else is named', async () => {
    const link = await servers.open(null);
    expect(link.role).toBe('owner');
  });

  // dsql §8.3
  it('finds another server when the one that took writes has gone', async () => {
    other.inRecovery = true;
    const { link, by } = await opened();
    expect(by).toBe(one);
    const { serial } = servers;
    await one.stop();
    await link.ended;
    other.inRecovery = false;
    other.timeline = 2;
    expect((await opened()).by).toBe(other);
    expect(servers.serial).toBe(serial + 1);
    one = await FakePostgres.start();
  });

  it('never trusts what was known: a link that cannot prove it goes to another server', async () => {
    other.inRecovery = true;
    await opened('first');
    one.inRecovery = true;
    other.inRecovery = false;
    other.timeline = 2;
    expect((await opened('second')).by).toBe(other);
    expect(one.open).not.toContain('second');
  });

  it('asks again after a server has refused to write', async () => {
    other.inRecovery = true;
    const { link } = await opened();
    one.answer = () => ({ sqlstate: '25006' });
    await link.query('INSERT').catch(() => {});
    one.asked.length = 0;
    other.asked.length = 0;
    await opened();
    expect(other.asked).toHaveLength(1);
  });

  it('does not count the same server twice', async () => {
    const single = await serversOf(one);
    const link = await single.open(null);
    const { serial } = single;
    one.drop();
    await link.ended;
    await single.open(null);
    expect(single.serial).toBe(serial);
    single.close();
  });

  it('takes the newer of two servers that both take writes', async () => {
    other.timeline = 3;
    expect((await opened()).by).toBe(other);
  });

  // dsql §8.3
  it('never goes back to a server that has been replaced', async () => {
    other.timeline = 3;
    const { link } = await opened();
    await other.stop();
    await link.ended;
    await expect(opened()).rejects.toMatchObject({ code: 'MR_ORIGIN_NO_WRITER' });
    expect(warnings).toContainEqual(expect.objectContaining({ timeline: 1, newest: 3 }));
    other = await FakePostgres.start();
  });

  it('waits for a promotion, and no longer than it may', async () => {
    one.inRecovery = true;
    other.inRecovery = true;
    const early = opened();
    setTimeout(() => {
      other.inRecovery = false;
    }, 400);
    expect((await early).by).toBe(other);
    const none = await serversOf(one);
    const sinceMs = performance.now();
    await expect(none.open(null)).rejects.toMatchObject({ code: 'MR_ORIGIN_NO_WRITER' });
    const tookMs = performance.now() - sinceMs;
    expect(tookMs).toBeGreaterThan(WAIT_MS - 50);
    expect(tookMs).toBeLessThan(WAIT_MS + 5_000);
    none.close();
  });

  it('is not held up by a server that accepts and says nothing', async () => {
    one.isSilent = true;
    const sinceMs = performance.now();
    expect((await opened()).by).toBe(other);
    expect(performance.now() - sinceMs).toBeLessThan(1_500);
  });

  it('has all who wait share one search', async () => {
    one.inRecovery = true;
    await Promise.all(Array.from({ length: 20 }, () => opened()));
    expect(one.asked.length).toBeLessThan(4);
  });

  it('says at once that a login is wrong, since other servers have the same roles', async () => {
    await opened();
    one.refusal = '28P01';
    other.refusal = '28P01';
    const sinceMs = performance.now();
    await expect(opened()).rejects.toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    expect(performance.now() - sinceMs).toBeLessThan(WAIT_MS);
  });

  it('serves what speaks the protocol without the functions of PostgreSQL', async () => {
    const asked: string[] = [];
    one.answer = (text) => {
      asked.push(text);
      return [['off']];
    };
    const plain = await serversOf(one);
    one.knowsRecovery = false;
    expect(await plain.open(null)).toMatchObject({ role: 'owner' });
    expect(asked).toContain('SHOW transaction_read_only');
    plain.close();
  });

  it('opens nothing any more when it is closed', async () => {
    one.inRecovery = true;
    other.inRecovery = true;
    const waiting = opened();
    servers.close();
    await expect(waiting).rejects.toThrow();
  });

  it('refuses a cluster without any address', async () => {
    await expect(serversOf()).rejects.toMatchObject({ code: 'MR_CONFIG_INVALID' });
  });
});
