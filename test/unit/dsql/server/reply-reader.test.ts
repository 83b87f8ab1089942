import { describe, expect, it } from 'vitest';
import {
  type ReplyEvents,
  ReplyReader,
  SERVER_MESSAGE_BYTES_MAX,
} from '../../../../src/dsql/server/reply-reader.ts';
import { encodeErrorResponse } from '../../../../src/protocol/error-response.ts';
import { KeptReplies } from '../../../support/dsql-below.ts';
import { encodeParameterStatus, encodeReadyForQuery } from '../../../support/server-messages.ts';
import { message } from '../../../support/wire-messages.ts';

const READY = encodeReadyForQuery(0x49);
const ERROR = { severity: 'ERROR', sqlstate: '22012', message: 'no', detail: '', hint: '' };

/** Notes what it is told. */
class Told implements ReplyEvents {
  isAsked = true;
  readonly kept = new KeptReplies();
  readonly notes: string[] = [];
  onMessages(messages: Buffer): void {
    this.kept.take(messages);
    this.notes.push(`m${messages.length}`);
  }
  onTag(tag: string): void {
    this.notes.push(`tag ${tag}`);
  }
  onError(fields: { sqlstate: string }, bytes: Buffer): void {
    this.notes.push(`error ${fields.sqlstate} ${bytes.length}`);
  }
  onParameter(name: string, value: string): void {
    this.notes.push(`${name}=${value}`);
  }
  onCopyIn(): void {
    this.notes.push('copy in');
  }
  onReady(status: string): void {
    this.notes.push(`ready ${status}`);
    this.isAsked = false;
  }
  /** What was told, whatever pieces the messages came in. */
  get told(): string[] {
    return this.notes.filter((note) => !/^m\d/.test(note));
  }
}

const row = (size: number): Buffer => message('D', Buffer.alloc(size, 7));
const ANSWER = Buffer.concat([
  message('T', Buffer.alloc(9)),
  row(300),
  encodeParameterStatus('TimeZone', 'Europe/Zürich'),
  row(4),
  message('C', Buffer.from('SELECT 2\0')),
  message('G', Buffer.alloc(3)),
  message('A', Buffer.alloc(12)),
  encodeErrorResponse(ERROR),
  READY,
]);

describe('ReplyReader', () => {
  it('tells the same of an answer, and passes on whole messages, wherever it is cut', () => {
    for (let cut = 0; cut <= ANSWER.length; cut++) {
      const told = new Told();
      const reader = new ReplyReader(told);
      reader.feed(Buffer.from(ANSWER.subarray(0, cut)));
      reader.feed(Buffer.from(ANSWER.subarray(cut)));
      expect(told.kept.codes, `cut at ${cut}`).toBe('TDSDCG');
      expect(told.told).toEqual([
        'TimeZone=Europe/Zürich',
        'tag SELECT 2',
        'copy in',
        `error 22012 ${encodeErrorResponse(ERROR).length}`,
        'ready I',
      ]);
    }
  });

  it('tells the same when every byte comes alone', () => {
    const told = new Told();
    const reader = new ReplyReader(told);
    for (const byte of ANSWER) reader.feed(Uint8Array.of(byte));
    expect(told.kept.codes).toBe('TDSDCG');
    expect(told.told.at(-1)).toBe('ready I');
  });

  it('hands over CopyInResponse and what came before it before it says so', () => {
    const told = new Told();
    new ReplyReader(told).feed(Buffer.concat([row(1), message('G', Buffer.alloc(3))]));
    expect(told.notes).toEqual(['m14', 'copy in']);
  });

  it('hands over the rest of an answer before it says that it is complete', () => {
    const told = new Told();
    new ReplyReader(told).feed(Buffer.concat([row(1), READY]));
    expect(told.notes).toEqual(['m6', 'ready I']);
  });

  it('drops notices, and keeps settings, that come while nothing is asked', () => {
    const told = new Told();
    told.isAsked = false;
    const notice = message('N', Buffer.from('SNOTICE\0\0'));
    new ReplyReader(told).feed(Buffer.concat([notice, encodeParameterStatus('a', 'b')]));
    expect(told.notes).toEqual(['a=b']);
  });

  it.each([
    ['an answer that nobody asked for', READY, false],
    ['a second answer', Buffer.concat([READY, READY]), true],
    ['what only comes at the login', message('R', Buffer.alloc(4)), true],
    ['the beginning of replication', message('W', Buffer.alloc(3)), true],
    ['a length below its own size', message('D', Buffer.alloc(0), 3), true],
    ['a length beyond the limit', message('D', Buffer.alloc(0), SERVER_MESSAGE_BYTES_MAX), true],
    ['a status that does not exist', encodeReadyForQuery(0x58), true],
    ['a status that is too long', message('Z', Buffer.from('II')), true],
  ])('refuses %s', (_, bytes, isAsked) => {
    const told = new Told();
    told.isAsked = isAsked;
    const reader = new ReplyReader(told);
    expect(() => reader.feed(Buffer.from(bytes))).toThrow('protocol violation');
  });
});
