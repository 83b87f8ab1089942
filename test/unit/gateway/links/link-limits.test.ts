import { expect, it } from 'vitest';
import type { ConfigurationConfig } from '../../../../src/config/model.ts';
import { parseOriginUrl } from '../../../../src/config/resolve-origin.ts';
import { timeoutsDefaults } from '../../../../src/config/timeouts.ts';
import { clusterOf, linkRateOf } from '../../../../src/gateway/links/link-rates.ts';
import { limitsOf } from '../../../../src/gateway/links/links.ts';

const HOST = 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws';

async function configurationOf(
  url: string,
  changes: Partial<ConfigurationConfig> = {},
): Promise<ConfigurationConfig> {
  const { origin } = await parseOriginUrl(url);
  const one: Partial<ConfigurationConfig> = { origin, timeouts: timeoutsDefaults, ...changes };
  return one as ConfigurationConfig;
}

it('links to Aurora DSQL are not lent after 55 minutes, and others as configured', async () => {
  const dsql = await configurationOf(`postgres://admin@${HOST}/postgres`);
  expect(limitsOf(dsql).lifetimeMs).toBe(55 * 60_000);
  const timeouts = { ...timeoutsDefaults, linkLifetimeMs: 60_000 };
  expect(limitsOf({ ...dsql, timeouts }).lifetimeMs).toBe(60_000);
  const other = await configurationOf('postgres://web@db.example/shop');
  expect(limitsOf(other).lifetimeMs).toBe(timeoutsDefaults.linkLifetimeMs);
});

it('links to Aurora DSQL have a rate, and others when one is configured', async () => {
  const dsql = await configurationOf(`postgres://admin@${HOST.toUpperCase()}/postgres`);
  expect(linkRateOf(dsql)).toEqual({ perSecond: 100, burst: 1_000 });
  expect(clusterOf(dsql.origin)).toBe(HOST);
  const other = await configurationOf('postgres://web@db.example/shop');
  expect(linkRateOf(other)).toBeNull();
  const newLinks = { perSecond: 5, burst: 7 };
  expect(linkRateOf({ ...other, newLinks })).toEqual(newLinks);
});
