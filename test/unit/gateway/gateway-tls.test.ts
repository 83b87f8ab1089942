import { once } from 'node:events';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { devConfig } from '../../../src/cli/dev/dev-options.ts';
import type { ListenerConfig, MillraceConfig } from '../../../src/config/model.ts';
import { Gateway } from '../../../src/gateway/gateway.ts';
import { pki } from '../../support/pki.ts';
import { originAt } from '../origin/fake-server.ts';

let gateway: Gateway | null = null;

afterEach(async () => {
  await gateway?.close();
  gateway = null;
});

/** A configuration whose database is never connected to. */
function configWith(listener: Partial<ListenerConfig>, name = 'shop'): MillraceConfig {
  const config = devConfig(originAt(1, { database: name }), 0);
  const [own] = config.listeners as [ListenerConfig];
  return { ...config, listeners: [{ ...own, tls: 'required', ...listener }] };
}

const shows = (name: string) => ({ tlsCert: pki(`${name}.crt`), tlsKey: pki(`${name}.key`) });

async function dial(port: number, session?: Buffer): Promise<TLSSocket> {
  const to = { port, host: '127.0.0.1', rejectUnauthorized: false };
  const socket = connectTls({
    ...to,
    ALPNProtocols: ['postgresql'],
    ...(session === undefined ? {} : { session }),
  });
  await new Promise((resolve, reject) => {
    socket.on('secureConnect', resolve);
    socket.on('error', reject);
  });
  return socket;
}

/** For whom the certificate is that new clients are shown. */
async function shown(port: number): Promise<string> {
  const socket = await dial(port);
  const { subjectaltname = '' } = socket.getPeerCertificate();
  socket.destroy();
  return subjectaltname;
}

describe('the certificate of a listener', () => {
  it('is the new one after a reload, for new clients', async () => {
    gateway = await Gateway.start(configWith(shows('server')), { log: silentLog });
    const { port } = gateway.addresses()[0] as { port: number };
    expect(await shown(port)).toContain('localhost');
    await gateway.reload(configWith(shows('other-name')));
    expect(gateway.addresses()[0]?.port).toBe(port);
    expect(await shown(port)).toContain('elsewhere.test');
  });

  it('that OpenSSL does not take leaves everything as it is', async () => {
    const lines: string[] = [];
    const warn = (_fields: object, message: string): void => {
      lines.push(message);
    };
    const log = { ...silentLog, warn };
    gateway = await Gateway.start(configWith(shows('server')), { log });
    const { port } = gateway.addresses()[0] as { port: number };
    const mixed = { tlsCert: pki('server.crt'), tlsKey: pki('other-name.key') };
    await expect(gateway.reload(configWith(mixed, 'another'))).rejects.toMatchObject({
      code: 'MR_CONFIG_INVALID',
      clientText: expect.stringContaining('the certificates of the listener 127.0.0.1:0'),
    });
    // Neither the listener nor, half-way, the configurations.
    expect(await shown(port)).toContain('localhost');
    expect(lines).toEqual([]);
    await expect(Gateway.start(configWith(mixed), { log })).rejects.toMatchObject({
      code: 'MR_CONFIG_INVALID',
    });
  });

  it('of before a reload resumes no session, and neither do other authorities', async () => {
    const asking = { tlsClientCert: 'verify-ca', tlsClientCa: pki('ca.crt') } as const;
    gateway = await Gateway.start(configWith(shows('server')), { log: silentLog });
    const { port } = gateway.addresses()[0] as { port: number };
    for (const next of [shows('other-name'), { ...shows('other-name'), ...asking }]) {
      const first = await dial(port);
      const [session] = (await once(first, 'session')) as [Buffer];
      const second = await dial(port, session);
      expect(second.isSessionReused()).toBe(true);
      await gateway.reload(configWith(next));
      const third = await dial(port, session);
      expect(third.isSessionReused()).toBe(false);
      for (const socket of [first, second, third]) socket.destroy();
    }
  });
});
