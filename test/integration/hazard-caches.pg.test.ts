/** Texts without end that no cache may keep. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayChild } from '../support/gateway-child.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';
import { times } from '../support/stage.ts';
import { codesOf, type WireClient } from '../support/wire.ts';
import { closeMessage, parse, query, sync } from '../support/wire-messages.ts';

const MEBIBYTE = 1_048_576;

describe('caches of statements', () => {
  let database: TestDatabase;
  let gateway: GatewayChild;

  beforeEach(async () => {
    database = await createDatabase();
    gateway = await GatewayChild.start(database);
  });

  afterEach(async () => {
    await gateway?.stop();
    await database?.drop();
  });

  /** How much more the gateway holds after the last round than after the first, which warms it up. */
  async function growthOver(
    rounds: number,
    work: (clients: readonly WireClient[], round: number) => Promise<void>,
  ): Promise<number> {
    const clients = await Promise.all(times(10, () => gateway.connect()));
    await work(clients, 0);
    const before = await gateway.heldBytes();
    for (let round = 1; round < rounds; round++) await work(clients, round);
    const growth = (await gateway.heldBytes()) - before;
    for (const client of clients) client.vanish();
    return growth;
  }

  let serial = 0;
  const filler = 'x'.repeat(64_000);

  // Fails when the generations of FactsCache never grow old: texts that nobody can parse are kept
  // whole.
  it('hazard 26: texts that cannot be parsed do not add up', async () => {
    const growth = await growthOver(5, async (clients) => {
      const work = clients.map(async (client) => {
        const text = () => `SELECT FROM WHERE ${serial++} /*${filler}*/ SELEC`;
        client.send(...times(24, () => query(text())));
        await client.readReady(24, 60_000);
      });
      await Promise.all(work);
    });
    expect(growth).toBeLessThan(16 * MEBIBYTE);
  }, 120_000);

  // Fails when StatementTable.add evicts nothing.
  it('hazard 26: prepared texts that were closed again do not add up', async () => {
    const growth = await growthOver(6, async (clients) => {
      const work = clients.map(async (client) => {
        for (let at = 0; at < 35; at++) {
          client.send(
            parse('s', `SELECT ${serial++} /*${filler}*/`),
            closeMessage('S', 's'),
            sync(),
          );
          expect(codesOf(await client.readReady())).toBe('13Z');
        }
      });
      await Promise.all(work);
    });
    expect(growth).toBeLessThan(16 * MEBIBYTE);
  });
});
