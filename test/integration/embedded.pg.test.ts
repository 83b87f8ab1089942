/** The embedded server as a program starts and stops it: what it gives, and what it leaves. */
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { dataDir, demo, query, start, superuser } from './embedded-harness.ts';

const withProc = process.platform === 'linux';

async function processesIn(cluster: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await fs.readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const cwd = await fs.readlink(`/proc/${pid}/cwd`).catch(() => '');
    if (cwd.startsWith(cluster)) found.push(pid);
  }
  return found;
}

describe('start and stop', () => {
  it.runIf(withProc)('leave no process, no shared memory and no lock', async () => {
    const server = await start();
    const file = await fs.readFile(join(server.dataDir, 'postmaster.pid'), 'utf8');
    const segment = /^\s*\d+\s+(\d+)\s*$/m.exec(file.split('\n')[6] ?? '')?.[1] as string;
    const maps = await fs.readFile(`/proc/${server.pid}/maps`, 'utf8');
    const shared = [...new Set(maps.match(/\/dev\/shm\/PostgreSQL\.\d+/g))];
    const hasSegment = async (): Promise<boolean> =>
      (await fs.readFile('/proc/sysvipc/shm', 'utf8'))
        .split('\n')
        .some((line) => line.trim().split(/\s+/)[1] === segment);
    expect(await hasSegment()).toBe(true);
    expect(await processesIn(server.dataDir)).not.toEqual([]);

    await Promise.all([server.stop(), server.stop()]);
    await server.stop();

    expect(await processesIn(server.dataDir)).toEqual([]);
    expect(await hasSegment()).toBe(false);
    expect(shared.length).toBeGreaterThan(0);
    for (const path of shared) await expect(fs.stat(path)).rejects.toThrow('ENOENT');
    expect((await fs.readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log']);
  });

  it('end open transactions instead of waiting for them', async () => {
    const server = await start();
    const client = new pg.Client({ ...server, database: 'postgres' });
    client.on('error', () => {});
    await client.connect();
    await client.query('BEGIN');
    const beforeMs = performance.now();
    await server.stop();
    expect(performance.now() - beforeMs).toBeLessThan(5000);
    await client.end();
  });

  it('ask for the password of the superuser', async () => {
    const server = await start();
    await expect(query(server, 'SELECT 1', 'postgres', { ...superuser, password: 'x' }))
      .rejects //
      .toMatchObject({ code: '28P01' });
    const rows = await query(server, 'SHOW listen_addresses');
    expect(rows).toEqual([{ listen_addresses: '127.0.0.1' }]);
  });

  it('let the caller set what this module does not need itself', async () => {
    const settings = { work_mem: '12MB', listen_addresses: '*' };
    const server = await start({ ephemeral: true, settings });
    expect(await query(server, 'SHOW work_mem')).toEqual([{ work_mem: '12MB' }]);
    expect(await query(server, 'SHOW listen_addresses')).toEqual([
      { listen_addresses: '127.0.0.1' },
    ]);
  });

  it('tell when the server dies by itself, and the next start recovers', async () => {
    const server = await start();
    await query(server, 'CREATE TABLE kept AS SELECT 42 AS n');
    const exit = new Promise((resolve) => {
      server.onExit(resolve);
    });
    process.kill(server.pid, 'SIGKILL');
    expect(await exit).toEqual({ code: null, signal: 'SIGKILL' });
    await expect(start()).rejects.toMatchObject({ code: 'MR_DATA_DIR_HELD' });
    await server.stop();
    expect(await query(await start(), 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });
});

describe('a kept cluster', () => {
  it('keeps its data, and takes over the password of each start', async () => {
    const first = await start();
    await query(first, 'CREATE TABLE kept AS SELECT 42 AS n');
    await first.stop();
    const second = await start({ superuser: { user: 'postgres', password: 'another' } });
    expect(await query(second, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
    await expect(query(second, 'SELECT 1', 'postgres', superuser))
      .rejects //
      .toMatchObject({ code: '28P01' });
  });

  it('writes no password to any file of the data directory', async () => {
    const server = await start({ demo });
    await server.stop();
    for (const entry of await fs.readdir(dataDir, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await fs.readFile(join(entry.parentPath, entry.name));
      expect(bytes.includes(superuser.password), entry.name).toBe(false);
      expect(bytes.includes(demo.password), entry.name).toBe(false);
    }
  });

  it('of another major version is refused and not touched', async () => {
    await (await start()).stop();
    const path = join(dataDir, 'postgres', 'PG_VERSION');
    await fs.writeFile(path, '17\n');
    await expect(start()).rejects.toMatchObject({
      code: 'MR_DATA_DIR_VERSION',
      message: expect.stringContaining('PostgreSQL 17'),
    });
    expect(await fs.readFile(path, 'utf8')).toBe('17\n');
    await fs.writeFile(path, '18\n');
    await start();
  });

  it('is not made where something else is', async () => {
    await fs.mkdir(join(dataDir, 'postgres'), { recursive: true });
    await fs.writeFile(join(dataDir, 'postgres', 'thesis.txt'), 'words');
    await expect(start()).rejects.toMatchObject({ code: 'MR_EMBEDDED_FAILED' });
    expect(await fs.readdir(dataDir, { recursive: true })).toContain('postgres/thesis.txt');
  });

  it('that was cut short while it was made is made anew', async () => {
    await fs.mkdir(join(dataDir, 'postgres.new-0123'), { recursive: true });
    await fs.writeFile(join(dataDir, 'postgres.new-0123.pw'), 'old\n');
    const server = await start();
    await server.stop();
    expect((await fs.readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log']);
  });
});

describe('the demo', () => {
  // Fails when USE_UP_SYSTEM_IDS is not run: then it looks like a part of PostgreSQL.
  it('is made of objects that are a user’s by their ids', async () => {
    const server = await start({ ephemeral: true, demo });
    const sql = `SELECT min(c.oid::int8)::int >= 16384 AS is_users, count(*)::int > 5 AS is_there
      FROM pg_class c WHERE relnamespace = 'public'::regnamespace`;
    expect(await query(server, sql, 'demo', demo)).toEqual([{ is_users: true, is_there: true }]);
  });

  it('is a database of a plain role, with content', async () => {
    const server = await start({ ephemeral: true, demo });
    const sql = `SELECT current_user AS who, rolsuper AS super,
        (SELECT count(*)::int FROM order_totals) AS orders,
        (SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'demo') AS owner,
        (SELECT tableowner FROM pg_tables WHERE tablename = 'orders') AS table_owner
      FROM pg_roles WHERE rolname = current_user`;
    const [row] = await query(server, sql, 'demo', demo);
    expect(row).toEqual({
      who: 'millrace',
      super: false,
      orders: 2000,
      owner: 'millrace',
      table_owner: 'millrace',
    });
    await query(server, 'CREATE TABLE mine (id int)', 'demo', demo);
  });

  it('is left as its user made it, and made anew when dropped', async () => {
    const first = await start({ demo });
    await query(first, 'DELETE FROM order_items', 'demo', demo);
    await first.stop();
    const second = await start({ demo: { ...demo, password: 'other' } });
    const login = { user: 'millrace', password: 'other' };
    const count = 'SELECT count(*)::int AS items FROM order_items';
    expect(await query(second, count, 'demo', login)).toEqual([{ items: 0 }]);
    await query(second, 'DROP DATABASE demo');
    await second.stop();
    expect(await query(await start({ demo }), count, 'demo', demo)).toEqual([{ items: 5000 }]);
  });
});
