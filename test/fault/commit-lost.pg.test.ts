/** The server goes away between a COMMIT and its answer: what it did is not known. */
import { describe, expect, it } from 'vitest';
import { stageForEach, untilCatalogueIsRead } from '../support/stage.ts';
import { query } from '../support/wire-messages.ts';

const functionText = (body: string): string =>
  `CREATE OR REPLACE FUNCTION touch() RETURNS text LANGUAGE plpgsql AS
    $f$BEGIN ${body}; RETURN 'done'; END$f$`;

describe('a COMMIT whose answer is lost', () => {
  const stage = stageForEach();

  // Fails when Tenure.lose leaves what is known of the catalogue as it was.
  it('is taken for one that has changed the catalogue, if its transaction may have', async () => {
    const { gateway, proxy } = await stage.startBehindProxy();
    const side = await gateway.connectDirect();
    await side.rows(functionText('PERFORM 1'));
    const client = await gateway.connect();
    const next = await gateway.connect();
    const watcher = await gateway.connect();
    await untilCatalogueIsRead(next, proxy, 'SELECT touch()');
    await client.rows('BEGIN');
    await client.rows(functionText('PERFORM pg_advisory_lock(78)'));
    for (const { down } of proxy.open) {
      down.bytesLeft = 0;
      down.cut = 'stall';
    }
    client.send(query('COMMIT'));
    const isLocking = "SELECT prosrc ~ 'lock' FROM pg_proc WHERE proname = 'touch'";
    await expect.poll(() => side.rows(isLocking)).toEqual([['t']]);
    for (const pair of proxy.open) pair.end('rst');
    await client.readToEnd();
    await next.rows('SELECT touch()');
    const pins = async () => (await watcher.rows('SHOW millrace.pins')).map((pin) => pin[4]);
    await expect.poll(pins, { timeout: 2_000 }).toEqual(['advisory lock']);
    await side.end();
  });
});
