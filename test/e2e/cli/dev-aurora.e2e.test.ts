/** `millrace dev --like aurora`, by what it prints and what psql sees through it. */

import { Resolver } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { AuroraReady } from '../../../src/cli/dev/aurora-report.ts';
import { psql } from '../support/command.ts';
import { Footprint } from '../support/leftovers.ts';
import { startDev } from '../support/millrace.ts';
import { millrace, type Program } from '../support/program.ts';

const started: Program[] = [];

afterEach(async () => {
  for (const program of started.splice(0)) if (program.isRunning) await program.stop('SIGKILL');
});

const WHO = 'SELECT aurora_db_instance_identifier()';
const WRITER =
  "SELECT server_id FROM aurora_replica_status() WHERE session_id = 'MASTER_SESSION_ID'";

describe('millrace dev --like aurora', () => {
  it('runs a cluster behind the gateway, shows a failover, and leaves nothing behind', async () => {
    const { program, url, originUrl, adminUrl } = await startDev(['--like', 'aurora']);
    started.push(program);
    const line = JSON.parse(program.stdout) as { aurora: AuroraReady };
    const { instances, writerEndpoint, readerEndpoint, port, dnsServer, caFile } = line.aurora;
    expect(Object.keys(line)).toEqual(['gateway', 'origin', 'aurora']);
    expect(instances.map(({ isWriter }) => isWriter)).toEqual([true, false, false]);
    expect(new URL(originUrl).port).toBe(String(port));
    const [writer, ...readers] = instances as [(typeof instances)[0], ...typeof instances];
    for (const each of [url, originUrl, String(adminUrl)])
      expect(await psql(each, WHO)).toBe(writer.name);
    expect(await psql(url, 'SELECT count(*) > 0 FROM orders')).toBe('t');

    const resolver = new Resolver();
    resolver.setServers([dnsServer]);
    expect(await resolver.resolve4(writerEndpoint)).toEqual([writer.address]);
    const [reader] = await resolver.resolve4(readerEndpoint);
    expect(readers.map(({ address }) => address)).toContain(reader);

    // A driver can verify each instance in full, by its own name.
    const asOwner = 'dbname=demo user=millrace password=millrace sslmode=verify-full';
    for (const { name, host, address } of instances) {
      const place = `host=${host} hostaddr=${address} port=${port}`;
      expect(await psql(`${place} ${asOwner} sslrootcert=${caFile}`, WHO)).toBe(name);
    }
    const astray = `host=${writer.host}.invalid hostaddr=${writer.address} port=${port}`;
    await expect(psql(`${astray} ${asOwner} sslrootcert=${caFile}`, WHO)).rejects.toThrow(
      'does not match host name',
    );

    const footprint = new Footprint(program.pid);
    expect(footprint.hasServer).toBe(true);
    process.kill(writer.processId as number, 'SIGKILL');
    await program.says('stderr', new RegExp(`${writer.name}, the writer, has died`));
    const [, next] = await program.says('stderr', /(\S+) is the writer now, process \d+/);
    await program.says('stderr', new RegExp(`${writer.name} is back as a reader, process \\d+`));
    expect(readers.map(({ name }) => name)).toContain(next);
    await expect.poll(() => psql(originUrl, WRITER)).toBe(next);

    const after = new Footprint(program.pid);
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect([...footprint.left(), ...after.left()]).toEqual([]);
    expect(existsSync(caFile)).toBe(false);
    expect(program.stdout.split('\n')).toHaveLength(2);
  });

  it('is cleared away by the next start after a death without warning', async () => {
    const first = await startDev(['--like', 'aurora']);
    started.push(first.program);
    const footprint = new Footprint(first.program.pid);
    expect(footprint.hasServer).toBe(true);
    // One that does not even hear that it is to end.
    for (const pid of footprint.pids.slice(-3)) process.kill(pid, 'SIGSTOP');
    await first.program.stop('SIGKILL');
    const second = await startDev(['--like', 'aurora']);
    started.push(second.program);
    expect(footprint.left()).toEqual([]);
    expect((await second.program.stop()).code).toBe(0);
  });

  it('is stopped during its start without leaving anything', async () => {
    const program = millrace(['dev', '--json', '--port', '0', '--like', 'aurora']);
    started.push(program);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const footprint = new Footprint(program.pid);
    await program.stop();
    expect(footprint.left()).toEqual([]);
  });

  it.each([
    [['--like', 'oracle'], '--like must be aurora'],
    [['--like', 'aurora', '--data-dir', 'x'], '--like and --data-dir exclude each other'],
    [['--like', 'aurora', '--origin', 'postgres://h/d'], '--like and --origin exclude each other'],
  ])('refuses %s', async (args, words) => {
    const program = millrace(['dev', ...args]);
    started.push(program);
    expect((await program.end()).code).toBe(2);
    expect(program.stderr).toContain(words);
  });
});
