import pg from 'pg';
import { describe, expect, it } from 'vitest';
import type { Admitted, AdmittedClient } from '../../../../src/gateway/login/login-context.ts';
import { encodeSaslInitialResponse } from '../../../../src/protocol/authentication.ts';
import { encodeCancelRequest, encodeStartup } from '../../../../src/protocol/startup.ts';
import { encodeBackendKeyData, encodeReadyForQuery } from '../../../support/server-messages.ts';
import { error, exchange, JOE, loginStageForEach } from './login-stage.ts';

const { start, client } = loginStageForEach();

describe('admit', () => {
  it('logs in by SCRAM and hands over the socket paused, with nothing after AuthenticationOk', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup([...JOE, ['application_name', 'till'], ['options', '-c geqo=off']]));
    joe.send(await exchange(joe, 's3cret'));
    expect((await joe.message()).body.toString('latin1', 4)).toMatch(/^v=/);
    expect((await joe.message()).body).toEqual(Buffer.from([0, 0, 0, 0]));
    const [login] = admitted as [AdmittedClient];
    expect(login).toMatchObject({
      kind: 'client',
      user: 'joe',
      database: 'shop',
      minor: 0,
      leftover: Buffer.alloc(0),
    });
    expect([...login.settings.parameters]).toEqual([
      ['geqo', 'off'],
      ['application_name', 'till'],
    ]);
    expect(login.socket.isPaused()).toBe(true);
    expect(login.socket.listenerCount('data')).toBe(0);
    joe.send('later');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const heard = new Promise((resolve) => login.socket.once('data', resolve));
    login.socket.resume();
    expect(String(await heard)).toBe('later');
    expect(joe.received).toHaveLength(0);
  });

  it('keeps what a client sends behind its last authentication message', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    joe.send(encodeStartup(JOE));
    joe.send(Buffer.concat([await exchange(joe, 's3cret'), Buffer.from('Q early')]));
    await joe.until(() => admitted.length === 1);
    expect((admitted[0] as AdmittedClient).leftover.toString()).toBe('Q early');
  });

  it('takes every message in pieces of one byte', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    const dribble = async (bytes: Buffer): Promise<void> => {
      for (const byte of bytes) {
        joe.send(Buffer.from([byte]));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await dribble(encodeStartup(JOE));
    await dribble(await exchange(joe, 's3cret'));
    await joe.until(() => admitted.length === 1);
  });

  it('lets options be overridden by the packet, by names without case', async () => {
    const { port, admitted } = await start();
    const joe = client(port);
    const options = '-c TimeZone=UTC --work-mem=1MB -c app.tenant=a\\ b';
    joe.send(encodeStartup([...JOE, ['timezone', 'Asia/Tokyo'], ['options', options]]));
    joe.send(await exchange(joe, 's3cret'));
    await joe.until(() => admitted.length === 1);
    expect(Object.fromEntries((admitted[0] as AdmittedClient).settings.parameters)).toEqual({
      timezone: 'Asia/Tokyo',
      work_mem: '1MB',
      'app.tenant': 'a b',
    });
  });

  it('hands over a cancel request without an answer, also where TLS is required', async () => {
    const { port, admitted } = await start({ tls: 'required' });
    const joe = client(port);
    joe.send(encodeCancelRequest(77, Buffer.from([1, 2, 3, 4])));
    await joe.until(() => admitted.length === 1);
    expect(admitted[0]).toMatchObject({
      kind: 'cancel',
      processId: 77,
      secretKey: Buffer.from([1, 2, 3, 4]),
    });
    expect(joe.received).toHaveLength(0);
  });

  it('refuses the replication protocol, and takes a parameter that says no', async () => {
    const { port } = await start();
    for (const value of ['database', 'true', 'on', '1', 'maybe']) {
      const joe = client(port);
      joe.send(encodeStartup([...JOE, ['replication', value]]));
      expect(await error(joe)).toMatchObject({
        sqlstate: '0A000',
        message: 'Millrace does not currently support the replication protocol',
      });
      await joe.untilEnd();
    }
    const joe = client(port);
    joe.send(encodeStartup([...JOE, ['replication', 'off']]));
    expect((await joe.message()).code).toBe('R');
  });

  it('answers a startup packet it cannot read with FATAL, and then closes', async () => {
    const { port } = await start();
    const broken: [string, string][][] = [[['database', 'shop']], [...JOE, ['user', 'moe']]];
    for (const parameters of broken) {
      const joe = client(port);
      joe.send(encodeStartup(parameters));
      expect(await error(joe)).toMatchObject({ severity: 'FATAL', sqlstate: '08P01' });
      expect(await joe.untilEnd()).toBe('');
    }
  });
});

describe('a failed login', () => {
  it('is the same for a wrong password, an unknown user and an unknown database', async () => {
    const { port, logged } = await start();
    const attempts: [string, string, string][] = [
      ['joe', 'shop', 'wrong'],
      ['moe', 'shop', 's3cret'],
      ['joe', 'shed', 's3cret'],
    ];
    const outcomes: string[] = [];
    for (const [user, database, password] of attempts) {
      const someone = client(port);
      someone.send(
        encodeStartup([
          ['user', user],
          ['database', database],
        ]),
      );
      someone.send(await exchange(someone, password));
      const bytes = await someone.untilEnd();
      outcomes.push(bytes.slice(5).replace(user, 'USER'));
      expect(bytes).toContain(`password authentication failed for user "${user}"`);
    }
    expect(new Set(outcomes).size).toBe(1);
    expect(logged).toHaveLength(3);
    for (const line of logged) expect(line).not.toMatch(/s3cret|wrong/);
  });

  it('shows an unknown user the same salt every time, and another one per database', async () => {
    const { port } = await start();
    const saltOf = async (user: string, database: string): Promise<string> => {
      const someone = client(port);
      someone.send(
        encodeStartup([
          ['user', user],
          ['database', database],
        ]),
      );
      await someone.message();
      someone.send(encodeSaslInitialResponse('SCRAM-SHA-256', Buffer.from('n,,n=,r=abc')));
      const { body } = await someone.message();
      return /s=([^,]*),i=4096$/.exec(body.toString('latin1'))?.[1] ?? '';
    };
    const salt = await saltOf('moe', 'shop');
    expect(Buffer.from(salt, 'base64')).toHaveLength(16);
    expect(await saltOf('moe', 'shop')).toBe(salt);
    expect(await saltOf('moe', 'shed')).not.toBe(salt);
    expect(await saltOf('joe', 'shed')).not.toBe(await saltOf('joe', 'shop'));
  });
});

describe('the pg driver', () => {
  const finish = (admitted: Admitted): void => {
    if (admitted.kind !== 'client') return;
    admitted.socket.write(
      Buffer.concat([encodeBackendKeyData(1, Buffer.alloc(4)), encodeReadyForQuery(0x49)]),
    );
    admitted.socket.on('end', () => admitted.socket.end());
    admitted.socket.resume();
  };

  const config = (port: number) => ({
    host: '127.0.0.1',
    port,
    user: 'joe',
    database: 'shop',
    password: 's3cret',
  });

  it.each([
    ['off', false],
    ['optional', false],
    ['optional', { rejectUnauthorized: false }],
    ['required', { rejectUnauthorized: false }],
  ] as const)('logs in where TLS is %s', async (tls, ssl) => {
    const { port, admitted } = await start({ tls, onAdmitted: finish });
    const driver = new pg.Client({ ...config(port), ssl });
    await driver.connect();
    expect((admitted[0] as AdmittedClient).user).toBe('joe');
    expect('encrypted' in (admitted[0] as AdmittedClient).socket).toBe(ssl !== false);
    await driver.end();
  });

  it('gets the error of a wrong password, and of a missing TLS', async () => {
    const { port } = await start({ tls: 'required', onAdmitted: finish });
    const ssl = { rejectUnauthorized: false };
    const wrong = new pg.Client({ ...config(port), ssl, password: 'nope' });
    await expect(wrong.connect()).rejects.toMatchObject({ code: '28P01' });
    const plain = new pg.Client(config(port));
    await expect(plain.connect()).rejects.toMatchObject({ code: '28000' });
  });
});
