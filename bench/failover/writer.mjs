/**
 * Writes a row every few milliseconds, and a line with the time of each that was acknowledged; after
 * an error it goes on as the driver's documentation says. What it is told by the environment:
 * BENCH_DRIVER (`pg` or `wrapper`) and BENCH_TARGET, the options of the driver's client as JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const PAUSE_MS = 10;
const END_TIMEOUT_MS = 200;

const target = JSON.parse(process.env.BENCH_TARGET);

async function clientMaker() {
  if (process.env.BENCH_DRIVER === 'pg') return () => new pg.Client(target);
  const { AwsPGClient } = await import('aws-advanced-nodejs-wrapper/pg');
  return () => new AwsPGClient({ ...target, plugins: 'failover2' });
}

const makeClient = await clientMaker();
let client = null;
for (;;) {
  try {
    if (client === null) {
      client = makeClient();
      client.on?.('error', () => {});
      await client.connect();
    }
    await client.query('INSERT INTO told DEFAULT VALUES');
    console.log(Date.now());
  } catch (error) {
    // By this error the wrapper says that it has moved, and that the client may go on.
    if (error.constructor.name !== 'FailoverSuccessError') {
      await Promise.race([client?.end().catch(() => {}), sleep(END_TIMEOUT_MS)]);
      client = null;
    }
  }
  await sleep(PAUSE_MS);
}
