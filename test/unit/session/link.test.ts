import { expect, it } from 'vitest';
import { encodeErrorResponse } from '../../../src/protocol/error-response.ts';
import { Owed } from '../../../src/session/ledger.ts';
import { Link, type LinkOwner } from '../../../src/session/link.ts';

const port = { send: () => {}, flush: () => {}, pause: () => {} };
const READY = 'Z\0\0\0\x05I';
const COMPLETE = 'C\0\0\0\x0dSELECT 1\0';
const ROW = 'D\0\0\0\x0b\0\x01\0\0\0\x01x';

it.each([READY.length, READY.length + 3, READY.length + ROW.length])(
  'what came with the last answer, cut at %d, answers nothing that is asked afterwards',
  (cut) => {
    const link = new Link(port, new Map());
    let read = '';
    const owner: Partial<LinkOwner> = {
      onReply: (chunk, start, end) => {
        read += Buffer.from(chunk.subarray(start, end)).toString('latin1');
      },
      onRepliesEnd: () => {},
      // The next client has waited, and asks at once.
      onQuiet: () => link.ledger.push(Owed.Query, 0, null),
      rewriteError: () => null,
    };
    link.owner = owner as LinkOwner;
    link.ledger.push(Owed.Sync, 0, null);
    const bytes = Buffer.from(`${READY}${ROW}${COMPLETE}${READY}`, 'latin1');
    const feed = () => {
      link.feed(bytes, 0, cut);
      link.feed(bytes, cut, bytes.length);
    };
    if (cut === READY.length) {
      // Of two chunks nobody can tell.
      feed();
      expect(read).toBe(bytes.toString('latin1'));
    } else {
      expect(feed).toThrow('an answer before the question');
      expect(read).toBe(READY);
    }
  },
);

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

it.each([
  ['ERROR', '25006', true],
  ['FATAL', '25006', true],
  ['ERROR', '25001', false],
])('tells of %s with SQLSTATE %s, if it says that nobody may write there: %s', (is, code, told) => {
  const link = new Link(port, new Map());
  const owner: Partial<LinkOwner> = {
    onReply: () => {},
    onRepliesEnd: () => {},
    onQuiet: () => {},
    rewriteError: () => null,
  };
  link.owner = owner as LinkOwner;
  link.ledger.push(Owed.Query, 0, null);
  const fields = { sqlstate: code, message: 'cannot execute INSERT', detail: '', hint: '' };
  const bytes = encodeErrorResponse({ severity: is as 'ERROR' | 'FATAL', ...fields });
  link.feed(bytes, 0, bytes.length);
  expect(link.sawReadOnly).toBe(told);
});
