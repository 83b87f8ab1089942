/** Which reader a new link leads to, and which get none for a while. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import { ReaderDestination } from '../../../../src/gateway/links/reader-destination.ts';
import type { Reader } from '../../../../src/origin/aurora/cluster.ts';
import {
  answering,
  type FakeServer,
  fakeServer,
  originAt,
  WELCOME,
} from '../../origin/fake-server.ts';

const OPEN_MS = 5_000;

let nowMs: number;
let links: string[];
let servers: Map<string, FakeServer>;
let readers: Reader[];
let destination: ReaderDestination;

beforeEach(() => {
  nowMs = 1_000;
  links = [];
  servers = new Map();
  readers = [];
  destination = new ReaderDestination(
    () => readers,
    (key) => links.filter((link) => link === key).length,
    { nowMs: () => nowMs },
    silentLog,
  );
});

afterEach(() => {
  for (const server of servers.values()) server.close();
});

/** A reader that lets everybody in, or nobody. */
async function add(name: string, isWilling = true): Promise<void> {
  const server = await fakeServer(isWilling ? answering(WELCOME) : (socket) => socket.destroy());
  servers.set(name, server);
  readers.push({ name, origin: originAt(server.port) });
}

async function open(): Promise<string> {
  const { established, place } = await destination.open(OPEN_MS);
  established.socket.destroy();
  links.push(place.key);
  return place.key;
}

const usable = (): string[] => destination.usable.map(({ name }) => name);

it('leads to each of the readers as often as to the others', async () => {
  for (const name of ['a', 'b', 'c']) await add(name);
  const opened = [await open(), await open(), await open(), await open(), await open()];
  expect(opened).toEqual(['a', 'b', 'c', 'a', 'b']);
  // One that has fewer than the others gets the next ones.
  links = ['a', 'a', 'b', 'b'];
  expect([await open(), await open()]).toEqual(['c', 'c']);
});

it('counts those that are being opened', async () => {
  await add('a');
  await add('b');
  const opened = await Promise.all([open(), open(), open(), open()]);
  expect(opened.toSorted()).toEqual(['a', 'a', 'b', 'b']);
});

describe('a reader that lets no link in', () => {
  it('gets none for five seconds, and others get them', async () => {
    await add('a', false);
    await add('b');
    await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/^MR_ORIGIN_/) });
    expect(usable()).toEqual(['b']);
    expect([await open(), await open()]).toEqual(['b', 'b']);
    nowMs += 4_999;
    expect(usable()).toEqual(['b']);
    nowMs += 1;
    expect(usable()).toEqual(['a', 'b']);
    // It has the fewest links, so it is asked again.
    await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/^MR_ORIGIN_/) });
    expect(servers.get('a')?.sockets).toHaveLength(2);
  });

  it('does not count as one that is being opened', async () => {
    await add('a', false);
    await expect(open()).rejects.toThrow();
    nowMs += 5_000;
    servers.get('a')?.close();
    readers = [];
    await add('a');
    await add('b');
    expect(await open()).toBe('a');
  });

  it('is told apart from there being none at all', async () => {
    await expect(open()).rejects.toMatchObject({
      code: 'MR_ORIGIN_REFUSED',
      detail: 'no reader',
    });
  });
});

describe('a reader that has closed a link', () => {
  it('gets none for a second, unless the origin is another one by then', async () => {
    await add('a');
    await add('b');
    const { origin } = readers[0] as Reader;
    destination.suspect({ origin, key: 'a' });
    expect(usable()).toEqual(['b']);
    nowMs += 999;
    expect(usable()).toEqual(['b']);
    nowMs += 1;
    expect(usable()).toEqual(['a', 'b']);
    destination.suspect({ origin, key: 'a' });
    destination.renew();
    expect(usable()).toEqual(['a', 'b']);
  });

  it('is barred for no less than before', async () => {
    await add('a', false);
    await expect(open()).rejects.toThrow();
    destination.suspect({ origin: (readers[0] as Reader).origin, key: 'a' });
    nowMs += 1_000;
    expect(usable()).toEqual([]);
  });
});
