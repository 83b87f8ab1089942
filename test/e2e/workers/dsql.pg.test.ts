import { afterAll, beforeAll, expect, it } from 'vitest';
import { DSQL_HOST, DSQL_SERVER_NAME, DsqlStandIn } from '../../support/dsql.ts';
import { DSQL_KEY_ID, DSQL_SECRET, upstreamOf } from '../../support/dsql-stage.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { pkiPath } from '../../support/pki.ts';
import { nap } from '../../support/stage.ts';
import { Crew, workerOf } from './crew.ts';

const RATE = { perSecond: 5, burst: 4 };
const LINKS = 40;

let database: TestDatabase;
let dsql: DsqlStandIn;
let crew: Crew;

beforeAll(async () => {
  database = await createDatabase();
  dsql = await DsqlStandIn.start({ upstream: await upstreamOf(database) });
  dsql.keys.set(DSQL_KEY_ID, { secretKey: DSQL_SECRET, session: null });
  const settings = {
    originUrl: `postgres://admin@127.0.0.1:${dsql.port}/postgres`,
    links: LINKS,
    configuration: `origin_connection_rate = ${RATE.perSecond}
      origin_connection_burst = ${RATE.burst}`,
    origin: `auth = "dsql-iam"
      iam_host = "${DSQL_HOST}"
      tls_server_name = "${DSQL_SERVER_NAME}"
      ca = "${pkiPath('ca.crt')}"`,
  };
  const env = { AWS_ACCESS_KEY_ID: DSQL_KEY_ID, AWS_SECRET_ACCESS_KEY: DSQL_SECRET };
  crew = await Crew.start(database, settings, 2, env);
});

afterAll(async () => {
  if (crew?.serve.program.isRunning === true) await crew.serve.stop();
  dsql?.close();
  await database?.drop();
});

it('workers open links to one cluster at its rate together, and clients wait', async () => {
  const clients = await Promise.all(Array.from({ length: 80 }, () => crew.connect()));
  // Logins that the clients' own began are not counted for what comes.
  let loginsBefore = -1;
  while (loginsBefore !== dsql.logins) {
    loginsBefore = dsql.logins;
    await nap(1_000);
  }
  const sinceMs = performance.now();
  await Promise.all(clients.map((client) => client.rows('SELECT pg_sleep(0.3)')));
  const tookS = (performance.now() - sinceMs) / 1_000;
  const workers = new Set(clients.map(workerOf));
  expect(workers).toEqual(new Set([1, 2]));
  const logins = dsql.logins - loginsBefore;
  expect(logins).toBeGreaterThan(RATE.burst);
  // Each worker may have kept a right to one that it was given before.
  const kept = workers.size;
  expect(logins).toBeLessThanOrEqual(RATE.burst + RATE.perSecond * tookS + kept + 1);
  for (const client of clients) await client.end();
});
