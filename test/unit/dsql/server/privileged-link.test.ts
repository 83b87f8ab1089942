import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLink } from '../../../../src/dsql/server/postgres-link.ts';
import { PrivilegedLink } from '../../../../src/dsql/server/privileged-link.ts';
import { LINK_OPTIONS, originOf } from '../../../support/dsql-below.ts';
import { FakePostgres } from '../../../support/fake-postgres.ts';

let server: FakePostgres;
let privileged: PrivilegedLink;
let nowMs = 0;

beforeEach(async () => {
  nowMs = 0;
  server = await FakePostgres.start();
  privileged = new PrivilegedLink(
    async () =>
      openLink(await originOf(server.url), { role: 'owner', password: null }, LINK_OPTIONS),
    { nowMs: () => nowMs },
  );
});

afterEach(async () => {
  privileged.close();
  await server.stop();
});

const texts = (): string[] => server.asked.map(({ text }) => text);

describe('PrivilegedLink', () => {
  it('opens when it is needed, and does one thing at a time', async () => {
    expect(server.logins).toEqual([]);
    await Promise.all([
      privileged.transaction(async (link) => {
        await link.query('one');
        await link.query('two');
      }),
      privileged.rehearsal((link) => link.query('three')),
      privileged.query('four'),
    ]);
    expect(texts()).toEqual([
      'BEGIN',
      'one',
      'two',
      'COMMIT',
      'BEGIN',
      'three',
      'ROLLBACK',
      'four',
    ]);
    expect(server.logins).toHaveLength(1);
  });

  it('undoes work that fails, says why, and goes on', async () => {
    server.answer = (text) => (text === 'wrong' ? { sqlstate: '22012' } : []);
    const failed = privileged.transaction((link) => link.query('wrong'));
    await expect(failed).rejects.toMatchObject({ fields: { sqlstate: '22012' } });
    const thrown = privileged.transaction(() => Promise.reject(new Error('of its own')));
    await expect(thrown).rejects.toThrow('of its own');
    expect(texts()).toEqual(['BEGIN', 'wrong', 'ROLLBACK', 'BEGIN', 'ROLLBACK']);
    await privileged.query('more');
    expect(server.logins).toHaveLength(1);
  });

  it('opens another link when the last one broke, or is old', async () => {
    await privileged.query('one');
    server.drop();
    await expect
      .poll(() =>
        privileged
          .query('two')
          .then(() => 'done')
          .catch(() => 'lost'),
      )
      .toBe('done');
    expect(server.logins).toHaveLength(2);
    nowMs = 56 * 60_000;
    await privileged.query('three');
    expect(server.logins).toHaveLength(3);
  });

  it('refuses more work than may wait', async () => {
    server.answer = () => new Promise(() => {});
    const outcomes = Array.from({ length: 201 }, () =>
      privileged.query('asleep').catch((error) => error.code),
    );
    expect(await outcomes[200]).toBe('MR_POOL_WAITERS_FULL');
    privileged.close();
    expect(await outcomes[0]).toBe('MR_ORIGIN_LOST');
    expect(await outcomes[199]).toBe('MR_SHUTTING_DOWN');
  });
});
