import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { closeGently } from '../../../src/net/closing.ts';
import { dial } from '../../../src/net/dial.ts';
import { type Listener, listen } from '../../../src/net/listen.ts';
import { SocketReader } from '../../../src/net/socket-reader.ts';

let listener: Listener | null = null;
const sockets: Socket[] = [];

afterEach(() => {
  listener?.close();
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Both ends of one connection: ours as accepted, and the peer's as any program has it. */
async function pair(): Promise<{ ours: Socket; peer: Socket }> {
  let accept: (socket: Socket) => void;
  const accepted = new Promise<Socket>((resolve) => {
    accept = resolve;
  });
  listener = await listen(
    { address: '127.0.0.1', port: 0 },
    (socket) => accept(socket),
    () => {},
  );
  const peer = connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true });
  peer.on('error', () => {});
  const ours = await accepted;
  sockets.push(ours, peer);
  return { ours, peer };
}

const never = (): AbortSignal => new AbortController().signal;
const pause = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('SocketReader', () => {
  it('reads nothing while nobody waits, and loses nothing when it lets go', async () => {
    const { ours, peer } = await pair();
    const reader = new SocketReader(ours, never());
    peer.write('abc');
    await pause();
    expect(reader.pending).toHaveLength(0);
    expect(await reader.more()).toBe(true);
    expect(reader.take(1).toString()).toBe('a');
    peer.write('def');
    await pause();
    expect(reader.release().toString()).toBe('bc');
    expect(ours.isPaused()).toBe(true);
    const heard = new Promise((resolve) => ours.once('data', resolve));
    ours.resume();
    expect(String(await heard)).toBe('def');
  });

  it('knows that more has arrived than was taken', async () => {
    const { ours, peer } = await pair();
    const reader = new SocketReader(ours, never());
    peer.write('ab');
    await reader.more();
    reader.take(1);
    expect(reader.isDrained).toBe(false);
    reader.take(1);
    expect(reader.isDrained).toBe(true);
  });

  it('reads typed messages from any pieces, and null at the end', async () => {
    const { ours, peer } = await pair();
    const reader = new SocketReader(ours, never());
    const bytes = Buffer.from('A\0\0\0\x04B\0\0\0\x06xyC\0\0\0\x09cut', 'latin1');
    void (async () => {
      for (const byte of bytes) {
        peer.write(Buffer.from([byte]));
        await pause(1);
      }
      peer.end();
    })();
    const max = (): number => 100;
    expect(await reader.message(max)).toEqual({ code: 0x41, body: Buffer.alloc(0) });
    expect(await reader.message(max)).toEqual({ code: 0x42, body: Buffer.from('xy') });
    expect(await reader.message(max)).toBeNull();
    expect(await reader.message(max)).toBeNull();
  });

  it('rejects with the reason of its signal, whether it waits already or not', async () => {
    const { ours } = await pair();
    const abort = new AbortController();
    const reader = new SocketReader(ours, abort.signal);
    const waiting = reader.more();
    abort.abort(new Error('late'));
    await expect(waiting).rejects.toThrow('late');
    await expect(reader.more()).rejects.toThrow('late');
  });

  it('ends when the connection is reset, without an error that nobody hears', async () => {
    const { ours, peer } = await pair();
    const reader = new SocketReader(ours, never());
    const waiting = reader.more();
    peer.resetAndDestroy();
    expect(await waiting).toBe(false);
    expect(await reader.more()).toBe(false);
  });
});

describe('listen', () => {
  it('lets a client end its side and still answers', async () => {
    const { ours, peer } = await pair();
    const heard = new Promise((resolve) => peer.once('data', resolve));
    peer.end('question');
    ours.on('data', () => {});
    ours.on('end', () => ours.end('answer'));
    ours.resume();
    expect(String(await heard)).toBe('answer');
  });

  it('says what it cannot listen on', async () => {
    listener = await listen(
      { address: '127.0.0.1', port: 0 },
      () => {},
      () => {},
    );
    const { port } = listener;
    await expect(
      listen(
        { address: '127.0.0.1', port },
        () => {},
        () => {},
      ),
    ).rejects.toMatchObject({
      code: 'MR_LISTEN_FAILED',
      clientText: `cannot listen on 127.0.0.1:${port}`,
      cause: { code: 'EADDRINUSE' },
    });
  });
});

describe('dial', () => {
  it('connects by name and by address, and hands over a paused socket', async () => {
    listener = await listen(
      { address: '127.0.0.1', port: 0 },
      (socket) => sockets.push(socket),
      () => {},
    );
    for (const host of ['127.0.0.1', 'localhost']) {
      const socket = await dial({ host, port: listener.port }, never());
      sockets.push(socket);
      expect(socket.isPaused()).toBe(true);
    }
  });

  it('stops at once when it is aborted', async () => {
    const abort = new AbortController();
    // An address of documentation (RFC 5737) that nobody answers from.
    const dialing = dial({ host: '192.0.2.1', port: 9 }, abort.signal);
    abort.abort(new Error('no longer wanted'));
    await expect(dialing).rejects.toThrow('no longer wanted');
    await expect(dial({ host: '192.0.2.1', port: 9 }, abort.signal)).rejects.toThrow('no longer');
  });
});

describe('closeGently', () => {
  it('lets the last words arrive although the peer has sent what nobody reads', async () => {
    const { ours, peer } = await pair();
    peer.write(Buffer.alloc(500_000));
    await pause();
    let heard = '';
    peer.on('data', (chunk) => {
      heard += chunk;
    });
    const ended = new Promise((resolve) => peer.once('end', resolve));
    closeGently(ours, Buffer.from('goodbye'));
    await ended;
    expect(heard).toBe('goodbye');
    peer.end();
    await new Promise((resolve) => (ours.destroyed ? resolve(null) : ours.once('close', resolve)));
  });

  it('does not wait for ever for a peer that stays or floods', async () => {
    for (const flooding of [false, true]) {
      const { ours, peer } = await pair();
      if (flooding) peer.write(Buffer.alloc(3_000_000));
      const closed = new Promise((resolve) => ours.once('close', resolve));
      closeGently(ours);
      await closed;
      listener?.close();
    }
  });
});
