import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gateway } from '../../src/gateway/gateway.ts';
import { TestGateway } from '../support/gateway.ts';
import { errorsOf, sendCancel, WireClient, type WireTarget } from '../support/wire.ts';

let bench: TestGateway;

beforeAll(async () => {
  bench = await TestGateway.start({ links: 2 });
});

afterAll(() => bench?.stop());

const ASKED = ['geqo', 'work_mem', 'search_path', 'DateStyle', 'enable_seqscan', 'geqo_threshold'];

/** What a server answers to these options: some settings, or its error. */
async function answer(target: WireTarget, settings: Record<string, string>): Promise<string> {
  const client = await WireClient.dial(target);
  try {
    await client.logIn(settings);
    // A custom setting that another client of the connection had is empty, where it was absent.
    const values = [...ASKED, 'app.tenant'].map(
      (name) => `nullif(current_setting('${name}', true), '')`,
    );
    return JSON.stringify(await client.rows(`SELECT ${values.join(', ')}`));
  } catch (error) {
    const { S, C, M, D, H } = (error as { cause?: Record<string, string> }).cause ?? {};
    return C === undefined ? `${error}` : `refused: ${JSON.stringify({ S, C, M, D, H })}`;
  } finally {
    client.socket.destroy();
  }
}

describe('the options of a startup packet', () => {
  it.each([
    '-c geqo=off',
    '-cgeqo=off',
    '--geqo=off',
    '--work-mem=1MB',
    '-c work-mem=1MB -c geqo=off',
    '-c Geqo-threshold=5 -c GEQO=off',
    '-c search_path=a\\\\b',
    '-c search_path=a,\\ b',
    '-c search_path=""',
    '-c geqo=off\\',
    '-c app.tenant=x\\ y',
    '-c geqo=off -c geqo=on',
    '-ec geqo=off',
    '-fs',
    '-S 512',
    '-c geqo=off --',
    '-bEjnT -C x -D /y -r f -v 3',
    '-tpa -d 2 -O',
  ])('have the effect that they have without the gateway: %s', async (options) => {
    const direct = await answer(bench.direct, { options });
    expect(direct).toMatch(/^\[/);
    expect(await answer(bench.target, { options })).toBe(direct);
  });

  it.each([
    '\\',
    '-c geqo=off \\',
    '-c',
    '-c a',
    '--geqo',
    '-- -c geqo=off',
    'a=b',
    'a=b -c nosuch=1',
    '-x',
    '-xy',
    '-c geqo=off -xy',
    '-ex',
    '-f z',
    '-t zz',
    '-c nosuch=1 -x',
    '-c search_path=a\\ b',
    '-c =x',
    '-c ""=x',
    "-c a';b=1",
    '-c a..b=1',
    '-c app.=1',
    '-c geqo=maybe',
    '-B 1',
    '-F',
    '-l',
    '-i',
    '-p 3',
    '-c server_version=18',
    '-c is_superuser=on',
  ])('are refused as they are without the gateway: %s', async (options) => {
    const direct = await answer(bench.direct, { options });
    expect(direct).toMatch(/^refused: /);
    expect(await answer(bench.target, { options })).toBe(direct);
  });

  it('come before the settings of the packet, and names may hold anything', async () => {
    for (const settings of [
      { options: '-c geqo=off', geqo: 'on' },
      { options: '-c work_mem=1MB', WORK_MEM: '2MB' },
      { 'drop table x;': '1' },
      { 'müll.x': 'ü', options: '-c app.tenant=ü' },
      { options: '-x', nosuch: '1' },
    ]) {
      expect(await answer(bench.target, settings)).toBe(await answer(bench.direct, settings));
    }
  });

  it('are not repeated in the log', async () => {
    const lines: string[] = [];
    const note = (fields: object, message: string): void => {
      lines.push(`${JSON.stringify(fields)} ${message}`);
    };
    const log = { debug: note, info: note, warn: note, error: note };
    const gateway = await Gateway.start(bench.config, { log });
    const { port } = gateway.addresses()[0] as { port: number };
    const told = await answer({ ...bench.target, port }, { options: '-c app.a=x s3cret-word' });
    await gateway.close();
    expect(told).toContain('process: s3cret-word');
    expect(lines.join()).toContain('its options are wrong');
    expect(lines.join()).not.toContain('s3cret-word');
  });
});

describe('the protocol version', () => {
  const login = async (version: number, settings = {}): Promise<WireClient> => {
    const client = await WireClient.dial(bench.target);
    await client.logIn(settings, version);
    return client;
  };

  it('decides how long the key is that cancels', async () => {
    for (const [minor, size] of [
      [0, 4],
      [1, 4],
      [2, 32],
      [9999, 32],
    ] as const) {
      const client = await login(0x30000 + minor, minor > 2 ? { '_pq_.grease': '1' } : {});
      expect([minor, client.secretKey.length]).toEqual([minor, size]);
      expect(client.negotiated?.readUInt32BE(0) ?? null).toBe(minor > 2 ? 0x30002 : null);
      // A key that only begins right is a wrong one.
      const { processId, secretKey } = client;
      const short = client.ask('SELECT pg_sleep(0.4)');
      await new Promise((resolve) => setTimeout(resolve, 100));
      for (const wrong of [secretKey.subarray(0, 4), Buffer.concat([secretKey, Buffer.alloc(1)])]) {
        if (wrong.length !== size) await sendCancel(bench.target, processId, wrong);
      }
      expect(errorsOf(await short)).toEqual([]);
      const long = client.ask('SELECT pg_sleep(20)');
      await new Promise((resolve) => setTimeout(resolve, 100));
      await client.cancel();
      expect(errorsOf(await long)).toEqual(['57014']);
      await client.end();
    }
  });

  it('is answered as PostgreSQL answers', async () => {
    const settings = { '_pq_.one': '1', '_pq_.two': '' };
    for (const minor of [0, 1, 2, 3, 9999]) {
      for (const extra of [{}, settings]) {
        const direct = await WireClient.dial(bench.direct);
        await direct.logIn(extra, 0x30000 + minor);
        const through = await login(0x30000 + minor, extra);
        // Servers before 18 know 3.0 only.
        if (Number.parseInt(direct.parameters.get('server_version') ?? '', 10) >= 18) {
          expect([minor, through.negotiated]).toEqual([minor, direct.negotiated]);
          expect(through.secretKey.length).toBe(direct.secretKey.length);
        }
        await direct.end();
        await through.end();
      }
    }
  });
});
