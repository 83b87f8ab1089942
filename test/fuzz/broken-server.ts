/**
 * A server that answers like PostgreSQL for a while, each simple Query with a row that repeats its
 * mark, and then breaks the protocol in one way or another.
 */

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Dice } from '../support/dice.ts';
import {
  encodeBackendKeyData,
  encodeParameterStatus,
  encodeReadyForQuery,
} from '../support/server-messages.ts';
import { message } from '../support/wire-messages.ts';

const WELCOME = Buffer.concat([
  message('R', Buffer.alloc(4)),
  encodeParameterStatus('server_version', '18.0'),
  encodeParameterStatus('TimeZone', 'UTC'),
  encodeBackendKeyData(4711, Buffer.from([1, 2, 3, 4])),
  encodeReadyForQuery(0x49),
]);
const MARK = /mark-\d+-\d+;/;
const CODES = '123ACDEGHIKNRSTVWZcdnstv!\0';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const row = (value: string): Buffer => {
  const head = Buffer.alloc(6);
  head.writeInt16BE(1, 0);
  head.writeInt32BE(value.length, 2);
  return message('D', Buffer.concat([head, text(value)]));
};
const columns = message('T', Buffer.concat([text('\0\x01mark\0'), Buffer.alloc(18)]));
const ready = message('Z', text('I'));
const error = (severity: string): Buffer =>
  message('E', text(`S${severity}\0V${severity}\0CXX000\0Mbroken\0\0`));

/** What a server may say at any time. */
const asides = (dice: Dice): Buffer =>
  dice.pick([
    message('N', text('SNOTICE\0VNOTICE\0C00000\0Mcareful\0\0')),
    encodeParameterStatus('TimeZone', 'UTC'),
    encodeParameterStatus('application_name', ''),
    message('A', Buffer.concat([Buffer.alloc(4), text('news\0\0')])),
  ]);

/** What it may never say there. */
function nonsense(dice: Dice): Buffer {
  const body = text('x'.repeat(dice.below(40)));
  const code = CODES[dice.below(CODES.length)] as string;
  return dice.pick([
    message(code, body),
    message(code, body, dice.pick([0, 1, 3, 4, 0x7fffffff, 0x80000000, 0xffffffff])),
    row('stranger'),
    ready,
    Buffer.concat([ready, ready]),
    message('Z', text('II')),
    message('S', text('TimeZone')),
    error('ERROR'),
    error('FATAL'),
    message('G', text('\0\0\0')),
    message('d', text('copied\n')),
    message('R', Buffer.alloc(4)),
    text('HTTP/1.1 400 Bad Request\r\n\r\n'),
  ]);
}

type BrokenLink = { readonly socket: Socket; isBroken: boolean };

/** So many connections at most are left open without the answer that is due. */
const SILENT_MAX = 3;

export class BrokenServer {
  readonly #server: Server;
  readonly #dice: Dice;
  readonly #keepsCount: boolean;
  #silent = 0;
  readonly #sockets = new Set<Socket>();
  /** While false it answers as it should. */
  isBroken = true;
  /** How often it has broken the protocol. */
  broken = 0;

  private constructor(dice: Dice, keepsCount: boolean) {
    this.#dice = dice;
    this.#keepsCount = keepsCount;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /**
   * @param keepsCount breaks a connection once only, and leaves no answer out as a whole: where
   *   several questions are under way, answers are told apart by their number and nothing else
   */
  static async start(dice: Dice, keepsCount: boolean): Promise<BrokenServer> {
    const one = new BrokenServer(dice, keepsCount);
    one.#server.listen(0, '127.0.0.1');
    await once(one.#server, 'listening');
    return one;
  }

  get at(): { readonly host: string; readonly port: number } {
    const { port } = this.#server.address() as { port: number };
    return { host: '127.0.0.1', port };
  }

  /** Connections that the gateway keeps open. */
  get open(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    const link = { socket, isBroken: false };
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    let input: Buffer = Buffer.alloc(0);
    let isIn = false;
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk]);
      for (;;) {
        const head = isIn ? 1 : 0;
        if (input.length < head + 4) return;
        const end = head + input.readUInt32BE(head);
        if (input.length < end) return;
        const body = input.toString('latin1', head + 4, end);
        const code = isIn ? String.fromCharCode(input[0] as number) : '';
        input = input.subarray(end);
        if (!isIn) socket.write(this.#welcome(link, body));
        else this.#answer(link, code, body);
        isIn = true;
      }
    });
  }

  #welcome(link: BrokenLink, startup: string): Buffer {
    // A cancel request, or a login that goes wrong at times.
    if (startup.startsWith('\x04\xd2')) return Buffer.alloc(0);
    if (!this.isBroken || !this.#dice.oneIn(60)) return WELCOME;
    link.isBroken = true;
    return this.#twisted(WELCOME);
  }

  #answer(link: BrokenLink, code: string, body: string): void {
    const { socket } = link;
    if (code === 'X') {
      socket.destroy();
      return;
    }
    if (code !== 'Q') return;
    const mark = MARK.exec(body)?.[0];
    const rows = mark === undefined ? [] : [columns, row(mark)];
    const parts = [...rows, message('C', text('SELECT 1\0')), ready];
    const dice = this.#dice;
    if (dice.oneIn(3)) parts.splice(dice.below(parts.length), 0, asides(dice));
    const whole = Buffer.concat(parts);
    if (!this.isBroken || (this.#keepsCount && link.isBroken) || !dice.oneIn(6)) {
      socket.write(whole);
      return;
    }
    link.isBroken = true;
    // Behind the whole answer is where it could reach the next client.
    if (dice.oneIn(3)) {
      this.broken++;
      socket.write(Buffer.concat([whole, nonsense(dice)]));
    } else socket.write(this.#twisted(whole));
    // An answer that never comes to its end keeps its link for as long.
    if (this.#silent < SILENT_MAX && dice.oneIn(60)) this.#silent++;
    else setTimeout(() => socket.destroy(), dice.below(60));
  }

  #twisted(bytes: Buffer): Buffer {
    this.broken++;
    const dice = this.#dice;
    const at = this.#keepsCount ? 1 + dice.below(bytes.length - 1) : dice.below(bytes.length);
    switch (dice.below(4)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), nonsense(dice), bytes.subarray(at)]);
      case 2: {
        const flipped = Buffer.from(bytes);
        flipped[at] = dice.below(256);
        // Another digit would make it the mark of another client.
        const mark = MARK.exec(bytes.toString('latin1'))?.[0] ?? '';
        return flipped.includes(mark) ? flipped : bytes.subarray(0, at);
      }
      default:
        return Buffer.concat([nonsense(dice), bytes]);
    }
  }
}
