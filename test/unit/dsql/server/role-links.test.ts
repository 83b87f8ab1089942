import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import type { PostgresLink } from '../../../../src/dsql/server/postgres-link.ts';
import { openLink } from '../../../../src/dsql/server/postgres-link.ts';
import { RoleLinks, type RoleLinksOptions } from '../../../../src/dsql/server/role-links.ts';
import { LINK_OPTIONS, originOf } from '../../../support/dsql-below.ts';
import { FakePostgres } from '../../../support/fake-postgres.ts';

const NONE: ReadonlyMap<string, string> = new Map();
const MINUTE_MS = 60_000;

let server: FakePostgres;
let links: RoleLinks;
let nowMs = 0;
let serial = 1;

beforeEach(async () => {
  nowMs = 0;
  serial = 1;
  server = await FakePostgres.start();
  links = linksOf({});
});

afterEach(async () => {
  await links.close();
  await server.stop();
});

function linksOf(changes: Partial<RoleLinksOptions>): RoleLinks {
  return new RoleLinks({
    open: async (role) =>
      openLink(await originOf(server.url), { role, password: null }, LINK_OPTIONS),
    serial: () => serial,
    linksMax: 2,
    waitersMax: 10,
    waitMs: 400,
    clock: { nowMs: () => nowMs },
    log: silentLog,
    ...changes,
  });
}

/** Checks a link out and in again. */
async function used(role: string): Promise<PostgresLink> {
  const link = await links.checkOut(role);
  links.checkIn(link, NONE);
  return link;
}

const settled = () => expect.poll(() => links.counts.open);

describe('RoleLinks', () => {
  // dsql §8.4
  it('uses a link again for the same role, and for no other', async () => {
    const first = await used('a');
    expect(await links.checkOut('a')).toBe(first);
    expect(await links.checkOut('b')).not.toBe(first);
    expect(server.logins).toEqual(['a', 'b']);
  });

  it('gives a link to one at a time', async () => {
    const one = await links.checkOut('a');
    const other = await links.checkOut('a');
    expect(other).not.toBe(one);
  });

  it('passes a link on to the first who waits for its role', async () => {
    const held = [await links.checkOut('a'), await links.checkOut('a')] as const;
    const order: string[] = [];
    const first = links.checkOut('a').then((link) => order.push('first') && link);
    const second = links.checkOut('a').then((link) => order.push('second') && link);
    links.checkIn(held[0], NONE);
    expect(await first).toBe(held[0]);
    links.checkIn(held[1], NONE);
    expect(await second).toBe(held[1]);
    expect(order).toEqual(['first', 'second']);
    expect(server.logins).toHaveLength(2);
  });

  it('never has more server processes than it may, even while links of other roles go', async () => {
    const most: number[] = [];
    for (const role of ['a', 'b', 'c', 'd', 'a', 'c', 'b']) {
      await used(role);
      most.push(server.open.length);
    }
    expect(Math.max(...most)).toBeLessThanOrEqual(2);
    expect(links.counts.open).toBeLessThanOrEqual(2);
  });

  it('closes the link that was idle for longest to make room', async () => {
    const a = await used('a');
    nowMs = 1;
    const b = await used('b');
    await links.checkOut('c');
    expect(a.isOpen).toBe(false);
    expect(b.isOpen).toBe(true);
  });

  it('keeps nobody waiting for longer than it may, and says why', async () => {
    await links.checkOut('a');
    await links.checkOut('b');
    await expect(links.checkOut('c')).rejects.toMatchObject({ code: 'MR_POOL_WAIT_TIMEOUT' });
    expect(links.counts.waiting).toBe(0);
  });

  it('refuses at once when too many wait', async () => {
    await links.close();
    links = linksOf({ waitersMax: 1, linksMax: 1 });
    await links.checkOut('a');
    const waiting = links.checkOut('a').catch(() => {});
    await expect(links.checkOut('a')).rejects.toMatchObject({ code: 'MR_POOL_WAITERS_FULL' });
    await waiting;
  });

  it('lets nobody wait for ever while others take turns with their role', async () => {
    await links.close();
    links = linksOf({ linksMax: 1, waitMs: 5_000 });
    const first = await links.checkOut('busy');
    const patient = links.checkOut('patient');
    const another = links.checkOut('busy');
    links.checkIn(first, NONE);
    expect(await another).toBe(first);
    nowMs = 501;
    const third = links.checkOut('busy');
    links.checkIn(first, NONE);
    expect((await patient).role).toBe('patient');
    links.checkIn(await patient, NONE);
    expect((await third).role).toBe('busy');
  });

  it.each([
    ['in a transaction', (link: PostgresLink) => Object.assign(link, { status: 'T' })],
    ['lost', (link: PostgresLink) => link.close()],
  ])('closes a link that comes back %s', async (_, spoil) => {
    const link = await links.checkOut('a');
    spoil(link);
    links.checkIn(link, NONE);
    expect(link.isOpen).toBe(false);
    await settled().toBe(0);
    expect((await links.checkOut('a')).isOpen).toBe(true);
  });

  it('closes a link on which something still runs', async () => {
    const link = await links.checkOut('a');
    server.answer = () => new Promise(() => {});
    const asked = link.query('SELECT 1').catch((error) => error);
    links.checkIn(link, NONE);
    expect(await asked).toMatchObject({ code: 'MR_ORIGIN_LOST' });
  });

  it('closes links before they are 60 minutes old', async () => {
    const link = await links.checkOut('a');
    nowMs = 56 * MINUTE_MS;
    links.checkIn(link, NONE);
    expect(link.isOpen).toBe(false);
    const idle = await used('a');
    nowMs += 56 * MINUTE_MS;
    expect(await links.checkOut('a')).not.toBe(idle);
    expect(idle.isOpen).toBe(false);
  });

  it('closes links to a server that is not the one that takes writes any more', async () => {
    const link = await used('a');
    const out = await links.checkOut('b');
    serial = 2;
    expect(await links.checkOut('a')).not.toBe(link);
    links.checkIn(out, NONE);
    expect(out.isOpen).toBe(false);
  });

  it('asks a link that refused to write whether its server still takes writes', async () => {
    server.answer = () => ({ sqlstate: '25006' });
    const link = await links.checkOut('a');
    await link.query('INSERT').catch(() => {});
    links.checkIn(link, NONE);
    expect(await links.checkOut('a')).toBe(link);
    await link.query('INSERT').catch(() => {});
    server.inRecovery = true;
    links.checkIn(link, NONE);
    await expect.poll(() => link.isOpen).toBe(false);
  });

  it('forgets a link whose server ended it', async () => {
    const link = await used('a');
    server.drop();
    await link.ended;
    await settled().toBe(0);
    expect(await used('a')).not.toBe(link);
  });

  it('tells the error of an opening to who waited for it, and goes on', async () => {
    server.refusal = '28P01';
    await expect(links.checkOut('a')).rejects.toMatchObject({ code: 'MR_ORIGIN_AUTH' });
    server.refusal = null;
    expect((await links.checkOut('a')).role).toBe('a');
    expect(links.counts.open).toBe(1);
  });

  it('closes the idle links of a role that is to have none', async () => {
    const a = await used('a');
    const b = await used('b');
    links.evict('a');
    expect([a.isOpen, b.isOpen]).toEqual([false, true]);
  });

  it('ends everything when it is closed', async () => {
    const out = await links.checkOut('a');
    await links.checkOut('a');
    const waiting = links.checkOut('a').catch((error) => error);
    await links.close();
    expect(await waiting).toMatchObject({ code: 'MR_SHUTTING_DOWN' });
    expect(out.isOpen).toBe(false);
    await expect(links.checkOut('a')).rejects.toMatchObject({ code: 'MR_SHUTTING_DOWN' });
  });
});

describe('the settings of a link', () => {
  const zone = new Map([['timezone', 'Asia/Tokyo']]);

  const texts = (): string[] => server.asked.map(({ text }) => text);

  it('are sent where they differ from what the link has', async () => {
    const link = await links.checkOut('a');
    await links.apply(link, zone);
    await links.apply(link, zone);
    links.checkIn(link, zone);
    await links.apply(await links.checkOut('a'), zone);
    expect(texts()).toEqual(["SELECT pg_catalog.set_config( E'timezone', E'Asia/Tokyo', false)"]);
  });

  it('go back to their defaults for a session that does not have them', async () => {
    const link = await links.checkOut('a');
    await links.apply(link, zone);
    await links.apply(link, new Map([['search_path', 'x']]));
    expect(texts()[1]).toBe(
      `RESET "timezone"; SELECT pg_catalog.set_config( E'search_path', E'x', false)`,
    );
  });

  it('are all set anew where nobody knows what they are', async () => {
    const link = await links.checkOut('a');
    links.checkIn(link, null);
    await links.apply(await links.checkOut('a'), zone);
    expect(texts()[0]).toMatch(/^RESET ALL; /);
  });

  it('stay what they were when one is refused', async () => {
    const link = await links.checkOut('a');
    server.answer = () => ({ sqlstate: '22023' });
    await expect(links.apply(link, zone)).rejects.toMatchObject({ fields: { sqlstate: '22023' } });
    server.answer = () => [];
    await links.apply(link, NONE);
    expect(texts()).toHaveLength(1);
  });

  it('are not sent where PostgreSQL has no such setting', async () => {
    const link = await links.checkOut('a');
    const own = ['dsql.enable_batched_nestloop', 'disable_sync_create_index', 'role'];
    await links.apply(link, new Map(own.map((name) => [name, 'on'])));
    expect(texts()).toEqual([]);
  });

  it('come with what sequences gave to another session, which is forgotten', async () => {
    const [mine, yours] = [Symbol('mine'), Symbol('yours')];
    const link = await links.checkOut('a');
    for (const session of [mine, mine, null, mine, yours]) await links.apply(link, NONE, session);
    expect(texts()).toEqual(['DISCARD SEQUENCES']);
    await links.apply(link, zone, mine);
    expect(texts()[1]).toMatch(/^DISCARD SEQUENCES; SELECT /);
  });

  it('cannot break out of their quotes', async () => {
    const link = await links.checkOut('a');
    await links.apply(link, new Map([["a'b", "c\\'d"]]));
    expect(texts()).toEqual(["SELECT pg_catalog.set_config( E'a''b', E'c\\\\''d', false)"]);
  });
});
