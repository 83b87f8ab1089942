/** Who gets in, as whom, and what those who do not get in are told. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { MillraceConfig } from '../../src/config/model.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { TestGateway } from '../support/gateway.ts';
import { nap, stageForEach, times } from '../support/stage.ts';
import { errorsOf, fieldsOf, WireClient, type WireTarget } from '../support/wire.ts';
import { query, startup } from '../support/wire-messages.ts';

describe('logins', () => {
  const stage = stageForEach();

  /** Another gateway with the configuration changed, and everything that it logs. */
  async function startWith(
    base: TestGateway,
    change: (config: MillraceConfig) => MillraceConfig,
  ): Promise<{ target: WireTarget; lines: string[] }> {
    const lines: string[] = [];
    const note = (fields: object, message: string): void => {
      lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const log = { debug: note, info: note, warn: note, error: note };
    const gateway = await Gateway.start(change(base.config), { log });
    stage.after(() => gateway.close());
    const { port } = gateway.addresses()[0] as { port: number };
    return { target: { ...base.target, port }, lines };
  }

  /** The error fields of a refused login, or null for who was let in. */
  async function refusal(target: WireTarget): Promise<Record<string, string> | null> {
    const client = await WireClient.dial(target);
    try {
      await client.logIn();
      return null;
    } catch (error) {
      return ((error as Error).cause as Record<string, string> | undefined) ?? { M: `${error}` };
    } finally {
      client.vanish();
    }
  }

  const told = (fields: Record<string, string> | null) => [fields?.['S'], fields?.['C']];

  // Fails when Credentials.find takes a database for granted (`get(database)!`).
  it('CVE-2012-4575: an unknown database is refused like a wrong password, whatever its name', async () => {
    const gateway = await stage.start();
    const names = ['nowhere', 'App', 'app ', 'postgres', 'x'.repeat(2_000), '__proto__', 'é\n%s%n'];
    const wrong = await refusal({ ...gateway.target, password: 'wrong' });
    expect(told(wrong)).toEqual(['FATAL', '28P01']);
    for (const database of names) {
      expect([database, await refusal({ ...gateway.target, database })]).toEqual([database, wrong]);
    }
    expect(await refusal(gateway.target)).toBeNull();
    expect(gateway.complaints).toEqual([]);
  });

  // Fails when Credentials.find falls back to the first user of the configuration.
  it('CVE-2015-6817: an unknown user is nobody, not even with the password of the origin', async () => {
    const gateway = await stage.start();
    const { user: originUser, password: originPassword } = gateway.direct;
    for (const user of ['nobody', originUser, 'Web', 'web ', '__proto__', 'x'.repeat(2_000)]) {
      for (const password of ['', originPassword, gateway.target.password]) {
        const fields = await refusal({ ...gateway.target, user, password });
        expect([user, told(fields)]).toEqual([user, ['FATAL', '28P01']]);
      }
    }
    expect(await refusal(gateway.target)).toBeNull();
  });

  // Fails when Credentials.find looks only at the password of the first user, or at another
  // configuration's users.
  it('CVE-2025-46801: a password opens its own user of its own configuration only', async () => {
    const gateway = await stage.start();
    const [app] = gateway.config.configurations;
    if (app === undefined) throw new Error('no configuration');
    const users = ['ann', 'bob'].map((user) => ({ user, verifier: null, password: `of ${user}` }));
    const others = [{ user: 'ann', verifier: null, password: 'of another ann' }];
    const { target } = await startWith(gateway, (config) => ({
      ...config,
      configurations: [
        { ...app, credentials: users },
        { ...app, name: 'other', credentials: others },
      ],
    }));
    const outcome = async (user: string, password: string, database: string) =>
      (await refusal({ ...target, user, password, database })) === null;
    for (const [user, password, database, isRight] of [
      ['ann', 'of ann', 'app', true],
      ['bob', 'of bob', 'app', true],
      ['ann', 'of another ann', 'other', true],
      ['ann', 'of bob', 'app', false],
      ['bob', 'of ann', 'app', false],
      ['ann', 'of ann', 'other', false],
      ['ann', 'of another ann', 'app', false],
      ['bob', 'of bob', 'other', false],
      ['ann', '', 'app', false],
    ] as const) {
      const login = { user, password, database };
      expect({ ...login, isIn: await outcome(user, password, database) }).toEqual({
        ...login,
        isIn: isRight,
      });
    }
  });

  // Fails when a client is welcomed although no link could be opened.
  it('CVE-2025-2291: an origin user whose time has run out lets nobody in any more', async () => {
    const database = await stage.makeDatabase();
    const role = `expiring_${randomBytes(4).toString('hex')}`;
    const password = randomBytes(8).toString('hex');
    const plain = await stage.start({}, database);
    const side = await plain.connectDirect();
    await side.rows(`CREATE ROLE ${role} LOGIN PASSWORD '${password}' VALID UNTIL '2000-01-01'`);
    stage.after(async () => {
      const again = await WireClient.connect(plain.direct);
      await again.rows(`DROP ROLE ${role}`);
      await again.end();
    });
    const gateway = await stage.start({ originUser: { user: role, password } }, database);
    expect(told(await refusal(gateway.target))).toEqual(['FATAL', '58000']);
    await side.rows(`ALTER ROLE ${role} VALID UNTIL 'infinity'`);
    await expect.poll(() => refusal(gateway.target), { timeout: 8_000 }).toBeNull();
    await side.end();
  });

  // There is no console: fails as soon as one of its words, or its database, does something.
  it('CVE-2026-6667: no client can end, pause or change what belongs to others', async () => {
    const gateway = await stage.start({ links: 2 });
    for (const database of ['pgbouncer', 'millrace', 'admin']) {
      expect(told(await refusal({ ...gateway.target, database }))).toEqual(['FATAL', '28P01']);
    }
    const victim = await gateway.connect();
    await victim.rows('LISTEN news');
    const side = await gateway.connectDirect();
    const client = await gateway.connect();
    const commands = `KILL app;KILL_CLIENT ${victim.processId};PAUSE;PAUSE app;SUSPEND;DISABLE app
      ;RELOAD;RECONNECT;SHUTDOWN;WAIT_CLOSE;SHOW CLIENTS;SHOW millrace.clients`;
    for (const sql of commands.split(';')) {
      const wanted = await side.ask(sql);
      expect([sql, await client.ask(sql)]).toEqual([sql, wanted]);
      expect(errorsOf(wanted)).toHaveLength(1);
    }
    expect(await client.rows(`SELECT pg_terminate_backend(${victim.processId})`)).toEqual([['f']]);
    expect(await victim.rows('SELECT 42')).toEqual([['42']]);
    await side.end();
  });

  // Fails when Links.#open puts the configuration of the origin into its warning.
  it('CVE-2023-22332: passwords are neither told to clients nor written to the log', async () => {
    const gateway = await stage.start();
    const secrets = {
      origin: `origin-${randomBytes(8).toString('hex')}`,
      client: gateway.target.password,
      wrong: `wrong-${randomBytes(8).toString('hex')}`,
    };
    const broken = await startWith(gateway, (config) => ({
      ...config,
      configurations: config.configurations.map((one) => ({
        ...one,
        origin: { ...one.origin, password: secrets.origin },
      })),
    }));
    const seen: string[] = [JSON.stringify(await refusal(broken.target))];
    seen.push(JSON.stringify(await refusal({ ...broken.target, password: secrets.wrong })));
    const good = await startWith(gateway, (config) => config);
    const client = await WireClient.connect(good.target);
    await client.rows('LISTEN news');
    for (const sql of ['SHOW ALL', 'SHOW millrace.pins', 'TABLE pg_stat_activity', 'SELEC']) {
      client.send(query(sql));
      seen.push(...(await client.readReady()).map(({ body }) => body.toString('latin1')));
    }
    await client.end();
    await nap(50);
    seen.push(...broken.lines, ...good.lines, process.title, ...process.argv);
    expect(broken.lines.join()).toContain('origin not reached');
    for (const [whose, secret] of Object.entries(secrets)) {
      const leaks = seen.filter((text) => text.includes(secret));
      expect({ whose, leaks }).toEqual({ whose, leaks: [] });
    }
    expect(seen.join()).not.toContain(gateway.direct.password);
  });

  // Fails when a message of the login is not checked for its type: see `hazard 20`.
  it('CVE-2026-107350: a startup packet in the middle of SCRAM lets nobody in as somebody else', async () => {
    const gateway = await stage.start();
    const { user, database } = gateway.target;
    for (const another of ['postgres', gateway.direct.user, user]) {
      const client = await WireClient.dial(gateway.target);
      client.send(startup({ user, database }));
      await client.read();
      client.send(startup({ user: another, database }), ...times(3, () => query('SELECT 1')));
      const replies = await client.readToEnd();
      expect(errorsOf(replies)).toEqual(['08P01']);
      expect(fieldsOf(replies[0]?.body as Buffer)['S']).toBe('FATAL');
    }
  });
});
