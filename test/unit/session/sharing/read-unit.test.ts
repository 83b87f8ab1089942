import { describe, expect, it } from 'vitest';
import { extendedParts, isWholeQuery } from '../../../../src/session/sharing/read-unit.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  flush,
  message,
  parse,
  query,
  sync,
} from '../../../support/wire-messages.ts';

const all = (...messages: Buffer[]): Buffer => Buffer.concat(messages);
const parsed = parse('', 'SELECT $1');
const bound = bind('', '', ['x']);

describe('a unit that could be shared', () => {
  it('is one simple Query, whole and alone', () => {
    expect(isWholeQuery(query('SELECT 1'))).toBe(true);
    expect(isWholeQuery(query(''))).toBe(true);
    for (const chunk of [
      Buffer.alloc(0),
      query('SELECT 1').subarray(0, 9),
      all(query('SELECT 1'), query('SELECT 2')),
      all(query('SELECT 1'), sync()),
      message('Q', Buffer.from('SELECT 1')),
      message('Q', Buffer.from('SELECT 1\0more\0')),
      query('x'.repeat(20_000)),
      sync(),
    ]) {
      expect(isWholeQuery(chunk)).toBe(false);
    }
  });

  it.each([
    [
      'Parse, Bind, Describe, Execute, Sync',
      all(parsed, bound, describeMessage('P', ''), execute(), sync()),
    ],
    ['Parse, Bind, Execute, Sync', all(parsed, bound, execute(), sync())],
    ['Bind, Execute, Sync', all(bound, execute(), sync())],
    [
      'Bind of a name, Describe, Execute, Sync',
      all(bind('', 's'), describeMessage('P', ''), execute(), sync()),
    ],
  ])('is %s', (_, chunk) => {
    const parts = extendedParts(chunk);
    expect(parts).not.toBeNull();
    if (parts === null) return;
    const at = chunk.indexOf('B');
    expect(parts.bindAt).toBe(at);
    expect(chunk.subarray(parts.nameStart, parts.nameEnd).toString()).toMatch(/^s?$/);
    expect(chunk[parts.nameEnd]).toBe(0);
    expect(parts.parseAt).toBe(chunk[0] === 0x50 ? 5 : -1);
    expect(parts.hasDescribe).toBe(chunk.includes('D\0\0\0\x06P\0'));
    // Not one byte less, nor more.
    for (let end = 0; end < chunk.length; end++) {
      expect(extendedParts(chunk.subarray(0, end))).toBeNull();
    }
    expect(extendedParts(all(chunk, Buffer.from('S')))).toBeNull();
    expect(extendedParts(all(chunk, chunk))).toBeNull();
  });

  it.each([
    ['a named Parse', all(parse('s', 'SELECT 1'), bind('', 's'), execute(), sync())],
    ['a named portal', all(parsed, bind('p', ''), execute('p'), sync())],
    ['a limit of rows', all(parsed, bound, execute('', 5), sync())],
    ['Describe of a statement', all(parsed, bound, describeMessage('S', ''), execute(), sync())],
    [
      'Describe of another portal',
      all(parsed, bound, describeMessage('P', 'p'), execute(), sync()),
    ],
    ['Flush', all(parsed, bound, execute(), flush(), sync())],
    ['Close', all(parsed, bound, execute(), closeMessage('P', ''), sync())],
    ['two Executes', all(parsed, bound, execute(), execute(), sync())],
    ['two Parses', all(parsed, parsed, bound, execute(), sync())],
    ['Parse alone', all(parsed, sync())],
    ['Sync alone', sync()],
    [
      'a Bind whose names do not end',
      all(message('B', Buffer.from('\0nameless')), execute(), sync()),
    ],
    [
      'a Bind that lies about its length',
      all(message('B', Buffer.alloc(8), 400), execute(), sync()),
    ],
    [
      'a Parse that lies about its length',
      all(message('P', Buffer.alloc(8), 2), bound, execute(), sync()),
    ],
    ['a Sync with a body', all(parsed, bound, execute(), message('S', Buffer.alloc(1)))],
    ['much', all(parsed, bind('', '', ['x'.repeat(20_000)]), execute(), sync())],
  ])('is none with %s', (_, chunk) => {
    expect(extendedParts(chunk)).toBeNull();
  });
});
