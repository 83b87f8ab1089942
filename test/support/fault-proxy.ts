/**
 * A TCP proxy that ill-treats what passes: cuts it into small pieces, delays it, stops it, adds
 * garbage, and ends connections in every way, at any byte. `up` is towards the target, `down` away
 * from it. It can stand on either side of the gateway.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'up' | 'down';

/** How the bytes of one direction pass. */
export type Passage = {
  /** Sizes of the pieces, over and over; empty for as they come. */
  pieces: readonly number[];
  /** Each chunk waits for this long. */
  delayMs: number;
  /** So many bytes in a second pass at most, as to a slow reader; 0 for as they come. */
  bytesPerSecond: number;
  /** So many more bytes pass, then it goes on as `cut` says. */
  bytesLeft: number;
  cut: Cut;
};

/**
 * What happens when `bytesLeft` have passed: both sides end, politely or with an RST; or this
 * direction only ends; or it stands still for ever; or garbage comes, and then the rest.
 */
export type Cut = 'fin' | 'rst' | 'half' | 'stall' | 'garbage';

const GARBAGE = Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n');
/** A slow passage writes so often in a second. */
const SLOW_STEPS = 50;

const passage = (): Passage => ({
  pieces: [],
  delayMs: 0,
  bytesPerSecond: 0,
  bytesLeft: Number.POSITIVE_INFINITY,
  cut: 'rst',
});

/** One connection through the proxy. */
export class Pair {
  readonly near: Socket;
  readonly far: Socket;
  readonly up = passage();
  readonly down = passage();
  /** How many bytes have passed. */
  readonly passed = { up: 0, down: 0 };
  /** What has gone up, when the proxy keeps it. */
  readonly said: Buffer[] = [];

  constructor(near: Socket, far: Socket, keeps: boolean) {
    this.near = near;
    this.far = far;
    near.setNoDelay(true);
    far.setNoDelay(true);
    void this.#carry('up', near, far, keeps);
    void this.#carry('down', far, near, false);
  }

  /** Ends both sides: politely, or with an RST. */
  end(how: 'fin' | 'rst'): void {
    for (const socket of [this.near, this.far]) {
      if (how === 'rst') socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Puts bytes between those that pass. */
  inject(direction: Direction, bytes: Uint8Array): void {
    (direction === 'up' ? this.far : this.near).write(bytes);
  }

  async #cutOff(cut: 'fin' | 'rst' | 'half' | 'stall', to: Socket): Promise<void> {
    // What was written shall arrive, so that the cut is in the middle and not before it.
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (cut === 'half') to.end();
    else if (cut !== 'stall') this.end(cut);
  }

  async #carry(direction: Direction, from: Socket, to: Socket, keeps: boolean): Promise<void> {
    const how = this[direction];
    try {
      // A direction that has come to its end must not take the other one with it.
      const chunks = from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
      for await (const chunk of chunks) {
        if (how.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, how.delayMs));
        const bytes = chunk.subarray(0, how.bytesLeft);
        how.bytesLeft -= bytes.length;
        if (keeps) this.said.push(bytes);
        await write(to, bytes, how);
        this.passed[direction] += bytes.length;
        if (how.bytesLeft > 0) continue;
        if (how.cut !== 'garbage') {
          await this.#cutOff(how.cut, to);
          return;
        }
        how.bytesLeft = Number.POSITIVE_INFINITY;
        to.write(GARBAGE);
        await write(to, chunk.subarray(bytes.length), how);
      }
      to.end();
    } catch {
      this.end('fin');
    }
  }
}

async function write(to: Socket, bytes: Buffer, how: Passage): Promise<void> {
  const { pieces, bytesPerSecond } = how;
  if (bytesPerSecond > 0) {
    const step = Math.max(1, Math.floor(bytesPerSecond / SLOW_STEPS));
    for (let at = 0; at < bytes.length; at += step) {
      to.write(bytes.subarray(at, at + step));
      await new Promise((resolve) => setTimeout(resolve, 1_000 / SLOW_STEPS));
    }
    return;
  }
  if (pieces.length === 0) {
    if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
    return;
  }
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = pieces[turn % pieces.length] as number;
    to.write(bytes.subarray(at, at + size));
    at += size;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export class FaultProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  /** All connections so far, in order. */
  readonly pairs: Pair[] = [];
  /** Applied to every new connection. */
  onPair: (pair: Pair) => void = () => {};
  /** Whether pairs keep what goes up. */
  keeps = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ ...this.#target, allowHalfOpen: true });
      near.on('error', () => {});
      far.on('error', () => near.destroy());
      const pair = new Pair(near, far, this.keeps);
      this.pairs.push(pair);
      this.onPair(pair);
    });
  }

  static async start(target: {
    readonly host: string;
    readonly port: number;
  }): Promise<FaultProxy> {
    const proxy = new FaultProxy({ host: target.host, port: target.port });
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get at(): { readonly host: string; readonly port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return { host: '127.0.0.1', port: address.port };
  }

  /** The connections that are still open on both sides. */
  get open(): readonly Pair[] {
    return this.pairs.filter(({ near, far }) => !near.destroyed && !far.destroyed);
  }

  async stop(): Promise<void> {
    for (const pair of this.pairs) pair.end('fin');
    this.#server.close();
    await once(this.#server, 'close');
  }
}
