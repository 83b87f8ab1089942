import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../../src/base/log.ts';
import type { OriginConfig } from '../../../../src/config/model.ts';
import type { ClusterRequest } from '../../../../src/dsql/clusters/clusters.ts';
import { Clusters } from '../../../../src/dsql/clusters/clusters.ts';
import {
  AWS_ACCOUNT,
  ask,
  type Opened,
  REGION,
  random,
  TestAws,
} from '../../../support/aws-plane.ts';
import { eventually } from '../../../support/control.ts';
import { createDatabase } from '../../../support/pg.ts';

const LIMIT_MS = 40_000;

function request(changes: Partial<ClusterRequest> = {}): ClusterRequest {
  return {
    accountId: AWS_ACCOUNT,
    region: REGION,
    isDeletionProtected: false,
    tags: {},
    policy: null,
    originUrls: [],
    clientToken: null,
    requestHash: '',
    ...changes,
  };
}

async function create(aws: TestAws, changes: Partial<ClusterRequest> = {}): Promise<string> {
  const made = await aws.clusters.create(request(changes), 'test');
  if (typeof made === 'string') throw new Error(made);
  return made.cluster.id;
}

/** When it is open, what it leads to. */
const origin = (aws: TestAws, id: string): Promise<OriginConfig> =>
  eventually(async () => {
    const found = aws.clusters.find(id);
    if (found === null || found === 'waking') throw new Error(`it is ${found}`);
    return found.origins[0] as OriginConfig;
  }, LIMIT_MS);

const status = (aws: TestAws, id: string, wanted: string | undefined): Promise<void> =>
  eventually(async () => {
    expect((await aws.store.clusters.get(id))?.status).toBe(wanted);
  }, LIMIT_MS);

describe('a cluster with a server of its own', () => {
  let aws: TestAws;
  let id: string;

  beforeAll(async () => {
    aws = await TestAws.start({ isEphemeral: false });
    id = await create(aws);
    const at = await origin(aws, id);
    await ask(at, 'CREATE TABLE kept AS SELECT 7 AS seven');
    await status(aws, id, 'ACTIVE');
  });

  afterAll(async () => {
    await aws.stop();
  });

  it('listens at the loopback address and asks for a password', async () => {
    const at = await origin(aws, id);
    expect(at.host).toBe('127.0.0.1');
    expect(await ask(at, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await ask(at, 'SHOW max_connections')).toEqual([{ max_connections: '20' }]);
    await expect(ask({ ...at, password: 'wrong' }, 'SELECT 1')).rejects.toThrow(/password/);
  });

  // dsql §8.2, §4.16
  it('is started again when its server ends, with its data, and wakes meanwhile', async () => {
    const before = await origin(aws, id);
    const pid = aws.clusters.processId(id) ?? 0;
    const { openings } = aws;
    process.kill(pid, 'SIGKILL');
    await eventually(async () => expect(aws.clusters.find(id)).toBe('waking'), LIMIT_MS);
    const after = await origin(aws, id);
    expect(aws.clusters.processId(id)).not.toBe(pid);
    expect(await ask(after, 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
    // Nothing that was open needs to be opened again when it leads to the same place.
    if (after.port === before.port) expect(aws.openings).toBe(openings);
    else expect(aws.openings).toBe(openings + 1);
  });

  // dsql §8.8
  it('is there again after the program has ended, with its data', async () => {
    await aws.end();
    await aws.begin();
    expect(aws.clusters.find(id)).toBe('waking');
    expect(await ask(await origin(aws, id), 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
    await status(aws, id, 'ACTIVE');
  });

  it('belongs to whom has its data: another program neither runs nor deletes it', async () => {
    const other = await TestAws.start();
    const stranger = await Clusters.start<Opened>({
      store: aws.store,
      dataDir: other.dataDir,
      isEphemeral: false,
      settings: {},
      open: async (_, origins) => ({ origins, close: async () => {} }),
      random,
      log: silentLog,
    });
    try {
      expect(stranger.record(id)?.status).toBe('ACTIVE');
      expect(stranger.find(id)).toBeNull();
      // What is made elsewhere is seen here, and run there alone.
      const made = await stranger.create(request({ tags: { of: 'stranger' } }), 'test');
      const theirs = typeof made === 'string' ? '' : made.cluster.id;
      await eventually(async () => expect(aws.clusters.record(theirs)).not.toBeNull());
      expect(aws.clusters.find(theirs)).toBeNull();
      await stranger.delete(theirs, 'test');
      await eventually(
        async () => expect(await aws.store.clusters.get(theirs)).toBeNull(),
        LIMIT_MS,
      );
      // Deleted through one that does not have it, it goes when its owner hears of it.
      const mine = await create(aws);
      await origin(aws, mine);
      await stranger.refresh();
      await stranger.delete(mine, 'test');
      await status(aws, mine, undefined);
    } finally {
      await stranger.close();
      await other.stop();
    }
  });

  it('that was being deleted when the program ended is gone after the next start', async () => {
    const doomed = await create(aws);
    await origin(aws, doomed);
    const place = join(aws.dataDir, 'dsql', doomed);
    expect(existsSync(place)).toBe(true);
    await aws.end();
    await aws.begin();
    await aws.clusters.close();
    await aws.store.clusters.beginDelete(doomed, 'test');
    await aws.end();
    await aws.begin();
    await status(aws, doomed, undefined);
    expect(existsSync(place)).toBe(false);
    expect(await ask(await origin(aws, id), 'SELECT seven FROM kept')).toEqual([{ seven: 7 }]);
  });

  it('that was being made when the program ended is finished at the next start', async () => {
    const young = await create(aws);
    await aws.end();
    await aws.begin();
    await origin(aws, young);
    await status(aws, young, 'ACTIVE');
  });
});

describe('a cluster on given servers', () => {
  let aws: TestAws;

  beforeAll(async () => {
    aws = await TestAws.start();
  });

  afterAll(async () => {
    await aws.stop();
  });

  // dsql §8.8, §4.1
  it('is opened at all of them, and leaves them as they are when it is deleted', async () => {
    const database = await createDatabase();
    const urls = [database.url, `${database.url}?application_name=second`];
    const id = await create(aws, { originUrls: urls });
    await status(aws, id, 'ACTIVE');
    const found = aws.clusters.find(id);
    if (found === null || found === 'waking') throw new Error('it is not open');
    expect(found.origins.map(({ database: name }) => name)).toEqual([database.name, database.name]);
    expect(aws.clusters.processId(id)).toBeNull();
    const { closings } = aws;
    await aws.clusters.delete(id, 'test');
    await status(aws, id, undefined);
    expect(aws.closings).toBe(closings + 1);
    expect(await ask(found.origins[0] as OriginConfig, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await database.drop();
  });

  // dsql §4.16
  it('fails when none can be reached while it is made, and can be deleted then', async () => {
    const id = await create(aws, { originUrls: ['postgres://u:p@127.0.0.1:1/x'] });
    await status(aws, id, 'FAILED');
    await aws.clusters.refresh();
    expect(aws.clusters.find(id)).toBeNull();
    await aws.clusters.delete(id, 'test');
    await status(aws, id, undefined);
  });

  it('that cannot be reached at a start is tried until it can', async () => {
    const database = await createDatabase();
    const id = await create(aws, { originUrls: [database.url] });
    await status(aws, id, 'ACTIVE');
    await aws.end();
    await database.drop();
    await aws.begin();
    await sleep(1_000);
    expect(aws.clusters.find(id)).toBe('waking');
    expect((await aws.store.clusters.get(id))?.status).toBe('ACTIVE');
    const again = await createDatabase(database.name);
    expect((await origin(aws, id)).database).toBe(database.name);
    await aws.clusters.delete(id, 'test');
    await status(aws, id, undefined);
    await again.drop();
  });
});

describe('a cluster that ends with the program', () => {
  let aws: TestAws | null = null;

  afterEach(async () => {
    await aws?.stop();
  });

  it('is known no more at the next start', async () => {
    aws = await TestAws.start();
    const id = await create(aws);
    await origin(aws, id);
    await aws.end();
    await aws.begin();
    expect(aws.clusters.record(id)).toBeNull();
    expect(aws.clusters.find(id)).toBeNull();
  });
});
