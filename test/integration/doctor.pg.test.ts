import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finding, isPrivateAddress } from '../../src/cli/doctor/findings.ts';
import { runCli } from '../../src/cli/run.ts';
import { createDatabase, type TestDatabase } from '../support/pg.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(async () => {
  await database.drop();
});

async function doctor(url: string) {
  let out = '';
  const terminal = {
    out: (text: string) => {
      out += text;
    },
    err: () => {},
    env: { URL: url },
    usesColor: false,
  };
  const code = await runCli(['doctor', 'env:URL', '--json'], terminal);
  return { code, findings: JSON.parse(out) as Finding[] };
}

describe('the doctor', () => {
  it('finds its way through a database that works', async () => {
    const { code, findings } = await doctor(database.url);
    expect(code).toBe(0);
    const verdicts = Object.fromEntries(findings.map(({ check, verdict }) => [check, verdict]));
    expect(verdicts).toMatchObject({
      name: 'good',
      connection: 'good',
      TLS: 'worth a look',
      version: 'good',
      role: 'good',
      privileges: 'worth a look',
      wal_level: 'good',
    });
    expect(Object.keys(verdicts)).toContain('round trip');
    expect(Object.keys(verdicts)).toContain('connections');
  });

  it.each([
    [(url: URL) => void (url.password = 'wrong'), '28P01', 'check user and password'],
    [(url: URL) => void (url.pathname = '/nowhere'), '3D000', 'make the database'],
    [(url: URL) => void (url.port = '1'), 'ECONNREFUSED', 'nothing listens'],
    [(url: URL) => void (url.hostname = 'nowhere.invalid'), 'ENOTFOUND', 'spelling'],
    [(url: URL) => void (url.search = '?sslmode=require'), 'TLS', 'turn TLS on'],
  ])('says what to do when something is wrong (%#)', async (change, text, fix) => {
    const url = new URL(database.url);
    change(url);
    const { code, findings } = await doctor(url.href);
    expect(code).toBe(1);
    expect(findings.at(-1)).toEqual({
      check: 'connection',
      verdict: 'bad',
      text: expect.stringContaining(text),
      fix: expect.stringContaining(fix),
    });
  });

  it('tells private addresses from public ones', () => {
    for (const address of ['10.0.0.1', '172.31.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1']) {
      expect([address, isPrivateAddress(address)]).toEqual([address, true]);
    }
    for (const address of ['172.32.0.1', '8.8.8.8', '100.128.0.1', '2600::1', '11.0.0.1']) {
      expect([address, isPrivateAddress(address)]).toEqual([address, false]);
    }
  });
});
