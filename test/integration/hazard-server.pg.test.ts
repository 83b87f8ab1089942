/** A server that goes mad after the login: its bytes must not reach anybody, nor end the gateway. */
import { describe, expect, it } from 'vitest';
import { stageForEach } from '../support/stage.ts';
import { errorsOf, type Reply, WireClient } from '../support/wire.ts';
import { message, query } from '../support/wire-messages.ts';
import { type FakeServer, fakeServer, latin, WELCOME } from '../unit/origin/fake-server.ts';

const READY = message('Z', latin('I'));
const OK = Buffer.concat([message('C', latin('SELECT 0\0')), READY]);

describe('a malformed server', () => {
  const stage = stageForEach();

  /** Logs everybody in, answers one Query with these bytes, and every other one well. */
  async function madServer(bytes: Buffer): Promise<FakeServer> {
    let isMad = true;
    const server = await fakeServer((socket) => {
      let isIn = false;
      socket.on('data', (chunk: Buffer) => {
        if (!isIn) {
          isIn = true;
          socket.write(WELCOME);
        } else if (chunk.includes('SELECT 1') && isMad) {
          isMad = false;
          socket.write(bytes);
        } else socket.write(OK);
      });
    });
    stage.after(() => server.close());
    return server;
  }

  const cases: [string, Buffer, 'ends' | 'passes'][] = [
    [
      'an error without a SQLSTATE',
      Buffer.concat([message('E', latin('Mno\0\0')), READY]),
      'passes',
    ],
    ['an error without any field', Buffer.concat([message('E', latin('\0')), READY]), 'passes'],
    ['an error without its zero', Buffer.concat([message('E', latin('')), READY]), 'passes'],
    ['a length of 0', message('T', latin(''), 0), 'ends'],
    ['a length of 3', message('D', latin('x'), 3), 'ends'],
    ['a length of 2 GiB', message('D', latin('x'), 0x80000000), 'ends'],
    ['a length of 4 GiB', message('Z', latin('I'), 0xffffffff), 'ends'],
    ['a ReadyForQuery that is too long', message('Z', latin('II')), 'ends'],
    ['a ParameterStatus without a value', message('S', latin('TimeZone\0')), 'ends'],
    ['a ParameterStatus without end', message('S', latin('TimeZone\0UTC')), 'ends'],
    ['a request for a password', message('R', latin('\0\0\0\x03')), 'ends'],
    ['a message of no type', message('!', latin('x')), 'ends'],
    ['an answer to Parse', message('1', latin('')), 'ends'],
    ['HTTP', latin('HTTP/1.1 200 OK\r\n\r\n'), 'ends'],
    ['a ReadyForQuery too many', Buffer.concat([OK, READY]), 'passes'],
    ['the rows of somebody else', Buffer.concat([OK, message('D', latin('\0\0'))]), 'passes'],
  ];

  // Fails when Ledger.onReply lets through what is not due, when Link.onHeader takes any length,
  // and when #onParameterStatus takes a value without end.
  it.each(cases)(
    'hazard 23, CVE-2026-6666: %s in place of an answer costs at most the link and its client',
    async (_, bytes, outcome) => {
      const { port } = await madServer(bytes);
      const at = { host: '127.0.0.1', port };
      const gateway = await stage.start({ originAt: at, timeouts: { waitTimeoutMs: 2_000 } });
      const client = await gateway.connect();
      client.send(query('SELECT 1'));
      let replies: Reply[];
      if (outcome === 'ends') {
        replies = await client.readToEnd(3_000);
        expect(errorsOf(replies)).toEqual(['08006']);
        expect(replies.map(({ code }) => code).join('')).toBe('E');
      } else {
        replies = await client.readReady();
        expect(replies.at(-1)?.code).toBe('Z');
      }
      // Whoever comes next has a link of its own, and nothing of what came before.
      const next = await WireClient.connect(gateway.target);
      next.send(query('SELECT 2'));
      expect((await next.readReady()).map(({ code }) => code).join('')).toBe('CZ');
      client.vanish();
      await next.end();
    },
  );
});
