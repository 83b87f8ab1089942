/** Clients of others against the DSQL endpoint of one `millrace dev`, each with its own ways. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Footprint } from '../support/leftovers.ts';
import { describeCli } from './cli.ts';
import { describeConnector } from './connector.ts';
import { describeDrivers } from './drivers.ts';
import { DsqlDev } from './dsql-dev.ts';
import { describeGateway } from './gateway.ts';
import { describeLibpq } from './libpq.ts';
import { describePython } from './python.ts';
import { describeSdk } from './sdk.ts';

let dev: DsqlDev;

beforeAll(async () => {
  dev = await DsqlDev.start();
});

afterAll(async () => {
  if (dev?.program.isRunning === true) await dev.stop();
});

const running = (): DsqlDev => dev;

describeLibpq(running);
describePython(running);
describeConnector(running);
describeDrivers(running);
describeSdk(running);
describeCli(running);
describeGateway(running);

it('millrace dev ends well, and leaves nothing behind', async () => {
  const { program, dsql, ca } = dev;
  const { stderr } = program;
  for (const secret of [dsql.secret_access_key, 'X-Amz-Signature', dev.api.token]) {
    expect(stderr).not.toContain(secret);
  }
  expect(stderr).not.toMatch(/"level":50|error=|a session of the DSQL endpoint failed/);
  expect(ca).toContain('BEGIN CERTIFICATE');
  const footprint = new Footprint(program.pid);
  await dev.stop();
  expect(footprint.left()).toEqual([]);
});
