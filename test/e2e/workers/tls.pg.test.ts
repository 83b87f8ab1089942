import { once } from 'node:events';
import { connect, type SecureVersion } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { pkiPath } from '../../support/pki.ts';
import { WireClient, type WireTarget } from '../../support/wire.ts';
import { Crew, workerOf } from './crew.ts';

const LISTENER = `tls = "required"
tls_cert = "${pkiPath('server.crt')}"
tls_key = "${pkiPath('server.key')}"`;

let database: TestDatabase;
let crew: Crew;

beforeAll(async () => {
  database = await createDatabase();
  crew = await Crew.start(database, { listener: LISTENER });
});

afterAll(async () => {
  await crew?.serve.stop();
  await database?.drop();
});

type Secure = { client: WireClient; isResumed: boolean; session: Promise<Buffer> };

/** TLS at once, and the login in it; with the session of before when there is one. */
async function secure(
  target: WireTarget,
  maxVersion: SecureVersion,
  session?: Buffer,
): Promise<Secure> {
  const { host, port } = target;
  const socket = connect({
    host,
    port,
    maxVersion,
    rejectUnauthorized: false,
    ALPNProtocols: ['postgresql'],
    ...(session === undefined ? {} : { session }),
  });
  const given = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  await once(socket, 'secureConnect');
  const isResumed = socket.isSessionReused();
  const client = new WireClient(socket, target);
  await client.logIn();
  return { client, isResumed, session: given };
}

it.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'resumes a session of %s in the other worker, and in a new one',
  async (version) => {
    const first = await secure(crew.target, version);
    const session = await first.session;
    const there = workerOf(first.client);
    const other = await secure(crew.target, version, session);
    expect([first.isResumed, other.isResumed]).toEqual([false, true]);
    expect(workerOf(other.client)).toBe(3 - there);
    expect(await other.client.rows('SELECT 1')).toEqual([['1']]);
    const begun = crew.count('worker is ready');
    process.kill(crew.pidOf(there), 'SIGKILL');
    await expect.poll(() => crew.count('worker is ready'), { timeout: 10_000 }).toBe(begun + 1);
    const next = await secure(crew.target, version, session);
    expect([next.isResumed, workerOf(next.client)]).toEqual([true, there]);
    for (const { client } of [other, next]) await client.end();
  },
);

it('resumes no session of before a reload, in no worker', async () => {
  const reload = async (links: number): Promise<void> => {
    await crew.write({ links });
    await expect.poll(() => crew.count('configuration reloaded')).toBe(links);
  };
  // From the first one on the listener keeps its place: it names the port that the system chose.
  await reload(1);
  const first = await secure(crew.target, 'TLSv1.3');
  const session = await first.session;
  const before = await secure(crew.target, 'TLSv1.3', session);
  expect(before.isResumed).toBe(true);
  await before.client.end();
  await reload(2);
  const after = [
    await secure(crew.target, 'TLSv1.3', session),
    await secure(crew.target, 'TLSv1.3', session),
  ];
  expect(after.map(({ isResumed }) => isResumed)).toEqual([false, false]);
  expect(new Set(after.map(({ client }) => workerOf(client))).size).toBe(2);
  for (const { client } of [first, ...after]) await client.end();
});
