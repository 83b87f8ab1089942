import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { directSocket } from '../../../src/net/direct-socket.ts';
import { type Listener, listen } from '../../../src/net/listen.ts';

let listener: Listener | null = null;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  listener?.close();
  listener = null;
});

/** A connection: our accepted end, and the peer's. */
async function pair(): Promise<{ accepted: Socket; peer: Socket }> {
  const arrivals: Socket[] = [];
  const onSocket = (socket: Socket): void => void arrivals.push(socket);
  listener = await listen({ address: '127.0.0.1', port: 0 }, onSocket, () => {});
  const peer = connect({ host: '127.0.0.1', port: listener.port, noDelay: true });
  while (arrivals.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const [accepted] = arrivals as [Socket];
  sockets.push(accepted, peer);
  return { accepted, peer };
}

const told = (socket: Socket, text: string): Promise<void> =>
  new Promise((resolve) => socket.write(text, () => resolve()));

describe('directSocket', () => {
  it('gives each piece in memory of its own', async () => {
    const { accepted, peer } = await pair();
    const socket = directSocket(accepted);
    expect(socket).not.toBe(accepted);
    const pieces: Buffer[] = [];
    socket.on('data', (piece: Buffer) => pieces.push(piece));
    socket.resume();
    for (const text of ['first', 'second', 'x'.repeat(200_000)]) {
      const arrived = once(socket, 'data');
      await told(peer, text);
      await arrived;
    }
    peer.end();
    await once(socket, 'end');
    expect(pieces[0]?.toString()).toBe('first');
    expect(pieces[1]?.toString()).toBe('second');
    expect(Buffer.concat(pieces).toString()).toBe(`firstsecond${'x'.repeat(200_000)}`);
  });

  it('reads nothing while it is paused, also when that is said in the middle', async () => {
    const { accepted, peer } = await pair();
    const socket = directSocket(accepted);
    let bytes = 0;
    socket.on('data', (piece: Buffer) => {
      bytes += piece.length;
      socket.pause();
    });
    peer.write('x'.repeat(1_000_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bytes).toBe(0);
    const arrived = once(socket, 'data');
    socket.resume();
    await arrived;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(65_536);
  });

  it('may answer a peer that has ended its side', async () => {
    const { accepted, peer } = await pair();
    const socket = directSocket(accepted);
    socket.resume();
    peer.end('nobody listens to this');
    await once(socket, 'end');
    const answer = once(peer, 'data');
    socket.end('answer');
    expect(String((await answer)[0])).toBe('answer');
  });

  it('closes together with the socket that it was made of', async () => {
    const first = await pair();
    const both = once(first.accepted, 'close');
    directSocket(first.accepted).destroy();
    await both;
    listener?.close();
    const second = await pair();
    const socket = directSocket(second.accepted);
    const closed = once(socket, 'close');
    const gone = once(second.peer.resume(), 'close');
    second.accepted.destroy();
    await Promise.all([closed, gone]);
  });

  it('leaves a socket alone in which something is still to be read', async () => {
    const { accepted, peer } = await pair();
    await told(peer, 'early');
    accepted.read(0);
    await once(accepted, 'readable');
    expect(directSocket(accepted)).toBe(accepted);
  });

  it('tells of a connection that breaks', async () => {
    const { accepted, peer } = await pair();
    const socket = directSocket(accepted);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    peer.resetAndDestroy();
    await closed;
    expect(socket.errored).toMatchObject({ code: 'ECONNRESET' });
  });
});
