import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/base/errors.ts';
import { silentLog } from '../../../src/base/log.ts';
import type { ListenerConfig } from '../../../src/config/model.ts';
import { Listeners, preparedListeners } from '../../../src/gateway/listeners.ts';

const config = (port: number, address = '127.0.0.1'): ListenerConfig => ({
  address,
  port,
  tls: 'off',
  tlsCert: null,
  tlsKey: null,
  tlsClientCa: null,
  tlsClientCert: 'off',
  loginTimeoutMs: 1_000,
  clientsMax: 10,
});

const open: Listeners[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

/** Listeners that answer with the key under which a connection came. */
function answering(): Listeners {
  const listeners = new Listeners((key, socket: Socket) => socket.end(key), silentLog);
  open.push(listeners);
  return listeners;
}

async function reload(listeners: Listeners, ...configs: ListenerConfig[]): Promise<void> {
  await listeners.reload(preparedListeners(configs), () => {});
}

async function answerOf(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  try {
    for await (const chunk of socket) text += chunk;
    return text;
  } catch {
    return 'refused';
  }
}

const portsOf = (listeners: Listeners): number[] => listeners.addresses().map(({ port }) => port);

describe('a reload of listeners', () => {
  it('opens the new, closes the old and keeps the rest', async () => {
    const listeners = answering();
    await reload(listeners, config(0), config(0));
    const [first, second] = portsOf(listeners) as [number, number];
    await reload(listeners, config(0));
    expect(portsOf(listeners)).toEqual([first]);
    expect([await answerOf(first), await answerOf(second)]).toEqual(['127.0.0.1:0', 'refused']);
  });

  it('changes nothing when one cannot open, or the commit fails', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port: takenPort } = taken.address() as { port: number };
    const listeners = answering();
    await reload(listeners, config(0));
    const [port] = portsOf(listeners) as [number];
    let commits = 0;
    const wanted = preparedListeners([config(takenPort), config(port), config(0, '127.0.0.2')]);
    const failing = listeners.reload(wanted, () => {
      commits++;
    });
    await expect(failing).rejects.toMatchObject({ code: 'MR_LISTEN_FAILED' });
    expect(commits).toBe(0);
    const refusing = listeners.reload(preparedListeners([config(port)]), () => {
      throw new GatewayError('MR_INTERNAL');
    });
    await expect(refusing).rejects.toMatchObject({ code: 'MR_INTERNAL' });
    expect(portsOf(listeners)).toEqual([port]);
    expect(await answerOf(port)).toBe('127.0.0.1:0');
    taken.close();
  });

  it('keeps one open whose port the system chose when that port is asked for', async () => {
    const listeners = answering();
    await reload(listeners, config(0));
    const [port] = portsOf(listeners) as [number];
    const waiting = connect(port, '127.0.0.1');
    await once(waiting, 'connect');
    await reload(listeners, config(port));
    expect(portsOf(listeners)).toEqual([port]);
    expect(await answerOf(port)).toBe(`127.0.0.1:${port}`);
    waiting.destroy();
  });

  it('lets one take the port of another that goes, at an address that covers it', async () => {
    const listeners = answering();
    await reload(listeners, config(0));
    const [port] = portsOf(listeners) as [number];
    await reload(listeners, config(port, '0.0.0.0'));
    expect(await answerOf(port)).toBe(`0.0.0.0:${port}`);
  });
});
