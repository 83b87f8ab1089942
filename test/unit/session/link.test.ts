import { expect, it } from 'vitest';
import { Owed } from '../../../src/session/ledger.ts';
import { Link, type LinkOwner } from '../../../src/session/link.ts';

const port = { send: () => {}, flush: () => {}, pause: () => {} };

it.each([1, 4, 5, 6, 13])(
  'an answer of the gateway’s own comes behind the message before it, of which %d bytes came first',
  (cut) => {
    const link = new Link(port, new Map());
    let read = '';
    const owner: Partial<LinkOwner> = {
      onReply: (chunk, start, end) => {
        read += Buffer.from(chunk.subarray(start, end)).toString('latin1');
      },
      onRepliesEnd: () => {},
      onQuiet: () => {},
    };
    link.owner = owner as LinkOwner;
    link.ledger.push(Owed.Execute, 0, null);
    link.ledger.push(Owed.SyntheticClose, 0, null);
    link.ledger.push(Owed.Sync, 0, null);
    const complete = 'C\0\0\0\x0dSELECT 1\0';
    const bytes = Buffer.from(`${complete}Z\0\0\0\x05I`, 'latin1');
    link.feed(bytes, 0, cut);
    link.feed(bytes, cut, bytes.length);
    expect(read).toBe(`${complete}3\0\0\0\x04Z\0\0\0\x05I`);
  },
);
