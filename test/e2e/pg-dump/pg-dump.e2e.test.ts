import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Cluster, installedPrograms } from '../support/cluster.ts';
import { psql, runWell } from '../support/command.ts';
import { type Serve, startServe } from '../support/millrace.ts';

/** As many as a dump by three jobs needs, with its leader. */
const LINKS = 4;

/** The key in it, against scripts in data, is another one each time. */
const withoutKey = (dump: string): string => dump.replace(/^\\(un)?restrict .*$/gm, '');

describe('pg_dump and pg_restore', () => {
  let cluster: Cluster;
  let dir: string;
  /** In front of what is dumped, and of an empty database. */
  let source: Serve;
  let target: Serve;
  let expected: string;

  const dump = async (url: string, ...args: string[]): Promise<string> =>
    withoutKey(await runWell('pg_dump', [...args, '-d', url]));

  beforeAll(async () => {
    cluster = await Cluster.start(await installedPrograms());
    dir = await mkdtemp(join(tmpdir(), 'millrace-dump-'));
    await psql(cluster.url(), 'CREATE DATABASE source TEMPLATE template0');
    await psql(cluster.url('source'), '', '-f', join(import.meta.dirname, 'everything.sql'));
    source = await startServe({ originUrl: cluster.url('source'), links: LINKS });
    expected = await dump(cluster.url('source'));
  });

  afterAll(async () => {
    await source?.stop();
    await cluster?.stop();
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    await psql(cluster.url(), 'CREATE DATABASE target TEMPLATE template0');
    target = await startServe({ originUrl: cluster.url('target'), links: LINKS });
  });

  afterEach(async () => {
    await target?.stop();
    await psql(cluster.url(), 'DROP DATABASE target WITH (FORCE)');
  });

  /** What is in the target now, seen straight, has to be all of the source. */
  async function expectRestored(): Promise<void> {
    expect((await dump(cluster.url('target'))) === expected).toBe(true);
  }

  it('dumps the same bytes as straight, several times at once', async () => {
    expect(expected.length).toBeGreaterThan(500_000);
    const kinds = [
      [],
      ['--schema-only', '--clean', '--if-exists', '--create'],
      ['--data-only', '--column-inserts', '--rows-per-insert=50', '--table=log*'],
      ['--data-only', '--blobs', '--table=item', '--quote-all-identifiers'],
      ['--serializable-deferrable', '--no-owner', '--no-privileges', '--exclude-table=item'],
      ['--disable-triggers', '--data-only', '--encoding=UTF8', '--lock-wait-timeout=5s'],
    ];
    await Promise.all(
      kinds.map(async (kind) => {
        // Only its name in a message can tell the databases apart.
        const straight = await dump(cluster.url('source'), ...kind);
        const through = await dump(source.url, ...kind);
        expect([kind, through === straight]).toEqual([kind, true]);
      }),
    );
  });

  it('dumps roles as straight', async () => {
    // It goes by a database of its own choice unless told otherwise.
    const args = ['--globals-only', '-d'];
    const straight = await runWell('pg_dumpall', [...args, cluster.url(), '-l', 'source']);
    const through = await runWell('pg_dumpall', [...args, source.url, '-l', 'app']);
    expect(withoutKey(through)).toBe(withoutKey(straight));
  });

  it('restores a script through psql, as one transaction and without', async () => {
    const script = join(dir, 'script.sql');
    await writeFile(script, await runWell('pg_dump', ['-d', source.url]));
    await psql(target.url, '', '-1', '-f', script);
    await expectRestored();
    const again = await runWell('pg_dump', ['--clean', '--if-exists', '-d', source.url]);
    await psql(target.url, again);
    await expectRestored();
  });

  it.each([
    ['as it comes', []],
    ['as one transaction', ['--single-transaction']],
    ['by two jobs', ['-j', '2']],
  ])('restores the custom format %s', async (_, how) => {
    const archive = join(dir, 'custom');
    await runWell('pg_dump', ['-Fc', '-f', archive, '-d', source.url]);
    await runWell('pg_restore', ['--exit-on-error', ...how, '-d', target.url, archive]);
    const clean = ['--exit-on-error', '--clean', '--if-exists'];
    await runWell('pg_restore', [...clean, ...how, '-d', target.url, archive]);
    await expectRestored();
  });

  it('dumps three parts at once from one snapshot, and restores them at once', async () => {
    const archive = join(dir, 'parts');
    const args = ['-Fd', '-j', '3', '-f', archive, '-d', source.url];
    await Promise.all([runWell('pg_dump', args), ...disturbances(source.url)]);
    await runWell('pg_restore', ['--exit-on-error', '-j', '3', '-d', target.url, archive]);
    await expectRestored();
  });

  /** Others at work, who wait for their turns: in the end all is as it was before. */
  function disturbances(url: string): Promise<string>[] {
    return [0, 1, 2, 3].map((who) => {
      const script = `BEGIN; SELECT count(*) FROM item;
        UPDATE fast SET n = -n WHERE n % 4 = ${who}; ROLLBACK; SELECT count(*) FROM log;`;
      return psql(url, script.repeat(20));
    });
  }
});
