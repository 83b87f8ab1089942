/** A configuration that is read again and again under load. */
import { describe, expect, it } from 'vitest';
import type { ConfigurationConfig } from '../../src/config/model.ts';
import { nap, stageForEach, times } from '../support/stage.ts';
import { rowsOf, WireClient } from '../support/wire.ts';
import { bind, execute, parse, query, sync } from '../support/wire-messages.ts';

const RELOADS_MIN = 16;
const ANSWERS_MIN = 200;
/** On a busy machine the above takes its time. */
const LOAD_MS_MAX = 30_000;
const RELOAD_MS = 100;

describe('a configuration that is reloaded', () => {
  const stage = stageForEach();

  // Fails when Gateway.reload takes every origin for changed (the connections are replaced), when
  // it removes databases that stay (clients are dropped), and when it forgets the new limits.
  it('hazard 30: every 100 ms under load, costs no client, no setting and no connection', async () => {
    const links = 4;
    const gateway = await stage.start({ links });
    const side = await gateway.connectDirect();
    const [app] = gateway.config.configurations as [ConfigurationConfig];
    const servers = `SELECT pid::text FROM pg_stat_activity
      WHERE datname = current_database() AND backend_type = 'client backend'
        AND pid <> pg_backend_pid() ORDER BY pid`;
    const untilMs = Date.now() + LOAD_MS_MAX;
    let answers = 0;
    let reloads = 0;
    const isDone = () => (reloads >= RELOADS_MIN && answers >= ANSWERS_MIN) || Date.now() > untilMs;
    const work = async (who: number): Promise<void> => {
      const client = await gateway.connect({ TimeZone: who % 2 === 0 ? 'UTC' : 'Asia/Tokyo' });
      client.send(parse('s', `SELECT '${who}', $1::text, current_setting('TimeZone')`), sync());
      await client.readReady();
      const zone = who % 2 === 0 ? 'UTC' : 'Asia/Tokyo';
      for (let round = 0; !isDone(); round++) {
        client.send(bind('', 's', [`${round}`]), execute(), sync());
        expect(rowsOf(await client.readReady())).toEqual([[`${who}`, `${round}`, zone]]);
        client.send(query('BEGIN'), query(`SELECT ${round}`), query('COMMIT'));
        expect(rowsOf(await client.readReady(3))).toEqual([[`${round}`]]);
        answers++;
      }
      await client.end();
    };
    const load = Promise.all(times(16, work));
    const seen = new Set<string>();
    let most = 0;
    for (; !isDone(); reloads++) {
      await nap(RELOAD_MS);
      const credentials = [
        ...app.credentials,
        { user: `u${reloads}`, verifier: null, password: 'x' },
      ];
      await gateway.gateway.reload({
        ...gateway.config,
        configurations: [
          { ...app, waitersMax: app.waitersMax + reloads, credentials },
          ...(reloads % 2 === 0 ? [{ ...app, name: 'second' }] : []),
        ],
      });
      const rows = await side.rows(servers);
      most = Math.max(most, rows.length);
      for (const [pid] of rows) seen.add(pid as string);
    }
    await load;
    expect(reloads).toBeGreaterThanOrEqual(RELOADS_MIN);
    expect(answers).toBeGreaterThanOrEqual(ANSWERS_MIN);
    expect(most).toBeLessThanOrEqual(links);
    // They are the same from beginning to end.
    expect(seen.size).toBeLessThanOrEqual(links);
    const late = await WireClient.connect({ ...gateway.target, user: 'u0', password: 'x' }).catch(
      (error: Error) => error.message,
    );
    expect(late).toContain('28P01');
    await gateway.gateway.reload({
      ...gateway.config,
      configurations: [{ ...app, originConnectionLimit: 1 }],
    });
    await expect.poll(() => side.rows(servers)).toHaveLength(1);
    await side.end();
    // Only that a configuration was removed, which it was.
    expect(gateway.complaints.filter((line) => !line.includes('was removed'))).toEqual([]);
  });
});
