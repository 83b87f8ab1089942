/**
 * Messages near 1 GB, which is as long as PostgreSQL takes them: they pass in bounded memory, with
 * the answer that PostgreSQL itself gives, and one byte more is refused before any of it is kept.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { directTarget } from '../../support/gateway.ts';
import { GatewayChild } from '../../support/gateway-child.ts';
import { createDatabase, type TestDatabase } from '../../support/pg.ts';
import { nap } from '../../support/stage.ts';
import { WireClient, type WireTarget } from '../../support/wire.ts';
import { copyDone, execute, parse, query, sync } from '../../support/wire-messages.ts';

const MESSAGE_BYTES = 1_000_000_000;
const PIECE = Buffer.alloc(1_000_000, 'x');
const LINE = Buffer.from(`${'x'.repeat(999_999)}\n`);
const GROWTH_MAX = 32 * 1_048_576;
const TIMEOUT_MS = 600_000;
const ANSWER_WITHIN_MS = 240_000;
const SAMPLE_EVERY_MS = 100;
/** PostgreSQL's PQ_LARGE_MESSAGE_LIMIT: the longest length that a message may tell. */
const LENGTH_MAX = 0x3ffffffe;
const LONG_MESSAGES = 'QPBFd';
const READY = 'Z\0\0\0\x05I';

type Part = Buffer | { readonly piece: Buffer; readonly times: number };
type Exchange = { readonly name: string; readonly parts: readonly Part[] };

const sizeOf = (part: Part): number =>
  Buffer.isBuffer(part) ? part.length : part.piece.length * part.times;

/** A message of the body, which is never there as a whole. */
function long(code: string, ...body: readonly Part[]): Part[] {
  const head = Buffer.alloc(5);
  head.write(code);
  head.writeUInt32BE(4 + body.reduce((sum, part) => sum + sizeOf(part), 0), 1);
  return [head, ...body];
}

/** As much of the filler as makes the message about as long as it is to be. */
const filler = (piece = PIECE): Part => ({ piece, times: MESSAGE_BYTES / piece.length - 1 });
const int = (size: 2 | 4, value: number): Buffer => {
  const bytes = Buffer.alloc(size);
  bytes.writeIntBE(value, 0, size);
  return bytes;
};

const EXCHANGES: readonly Exchange[] = [
  {
    name: 'a Query',
    parts: long('Q', Buffer.from('SELECT 1 /* '), filler(), Buffer.from(' */\0')),
  },
  {
    name: 'a Parse',
    parts: [
      ...long('P', Buffer.from('\0SELECT 2 /* '), filler(), Buffer.from(' */\0\0\0')),
      ...long('B', Buffer.alloc(8)),
      execute(),
      sync(),
    ],
  },
  {
    name: 'a Bind',
    parts: [
      parse('', 'SELECT length($1::text)'),
      ...long('B', Buffer.from('\0\0\0\0\0\x01'), int(4, sizeOf(filler())), filler(), int(2, 0)),
      execute(),
      sync(),
    ],
  },
  { name: 'a DataRow', parts: [query(`SELECT repeat('x', ${MESSAGE_BYTES - 10})`)] },
  {
    name: 'CopyData',
    parts: [query('COPY load FROM STDIN WHERE false'), ...long('d', filler(LINE)), copyDone()],
  },
];

const drained = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('drain', resolve));

type Answer = { readonly bytes: number; readonly digest: string; readonly head: string };

/** Sends the parts as fast as they are taken; what comes back, up to the first ReadyForQuery. */
async function talk(target: WireTarget, { parts }: Exchange): Promise<Answer> {
  const client = await WireClient.connect(target);
  const hash = createHash('sha256');
  let [bytes, head, tail] = [0, '', ''];
  const done = new Promise<void>((resolve) => {
    client.consume((chunk) => {
      hash.update(chunk);
      bytes += chunk.length;
      if (head.length < 200) head += chunk.toString('latin1', 0, 200);
      tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 6))).slice(-6);
      if (tail === READY) resolve();
    });
  });
  const { socket } = client;
  const closed = once(socket, 'close');
  for (const part of parts) {
    const [piece, times] = Buffer.isBuffer(part) ? [part, 1] : [part.piece, part.times];
    for (let n = 0; n < times && !socket.destroyed; n++) {
      if (!socket.write(piece)) await Promise.race([drained(socket), closed]);
    }
  }
  const late = nap(ANSWER_WITHIN_MS).then(() => Promise.reject(new Error(`only ${head}`)));
  await Promise.race([done, late]);
  client.vanish();
  return { bytes, digest: hash.digest('hex'), head: head.slice(0, 200) };
}

/** Minutes of work, most of it PostgreSQL's, and some gigabytes of its memory. */
const isWanted = process.env['MILLRACE_GIGABYTE'] === '1';

describe.skipIf(!isWanted)('messages near 1 GB (MILLRACE_GIGABYTE=1)', () => {
  let database: TestDatabase;
  let gateway: GatewayChild;

  beforeAll(async () => {
    database = await createDatabase();
    gateway = await GatewayChild.start(database);
    const side = await WireClient.connect(directTarget(database));
    await side.rows('CREATE TABLE load (body text)');
    await side.end();
  });

  afterAll(async () => {
    await gateway?.stop();
    await database?.drop();
  });

  // Fails when MessageReader.onHeader holds what is long, or Link.onHeader does.
  it.each(EXCHANGES)(
    '$name passes in bounded memory, with the answer of PostgreSQL',
    async (exchange) => {
      const wanted = await talk(directTarget(database), exchange);
      const before = await gateway.heldBytes();
      let [most, isOver] = [before, false];
      const sampler = (async () => {
        while (!isOver) {
          most = Math.max(most, await gateway.heldBytes());
          await nap(SAMPLE_EVERY_MS);
        }
      })();
      const answer = await talk(gateway.target, exchange).finally(() => {
        isOver = true;
      });
      await sampler;
      expect(answer).toEqual(wanted);
      expect(most - before).toBeLessThan(GROWTH_MAX);
    },
    TIMEOUT_MS,
  );

  // Fails when the limit of MessageReader is another one.
  it('a length is refused where PostgreSQL refuses it', async () => {
    for (const [length, isTaken] of [
      [LENGTH_MAX, true],
      [LENGTH_MAX + 1, false],
    ] as const) {
      for (const code of LONG_MESSAGES) {
        const header = Buffer.concat([Buffer.from(code), int(4, length)]);
        for (const target of [directTarget(database), gateway.target]) {
          const client = await WireClient.connect(target);
          client.send(header);
          const ended = once(client.socket, 'end').then(() => false);
          const outcome = await Promise.race([ended, nap(isTaken ? 200 : 5_000).then(() => true)]);
          const where = target === gateway.target ? 'through' : 'straight';
          expect({ code, length, where, outcome }).toEqual({
            code,
            length,
            where,
            outcome: isTaken,
          });
          client.vanish('rst');
        }
      }
    }
  }, 60_000);
});
