/**
 * What a shared link makes of answers that are not whole: a client that waits behind must not get
 * another's, so anything but one answer to each question ends the link.
 */
import { describe, expect, it } from 'vitest';
import { Link } from '../../../../src/session/link.ts';
import { Settings } from '../../../../src/session/settings.ts';
import { Estimate } from '../../../../src/session/sharing/estimate.ts';
import { Lane } from '../../../../src/session/sharing/lane.ts';
import { SharedUnit, type UnitOwner } from '../../../../src/session/sharing/shared-unit.ts';
import { message, query } from '../../../support/wire-messages.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const columns = message('T', text('\0\0'));
const row = (value: string): Buffer => {
  const size = Buffer.alloc(4);
  size.writeInt32BE(value.length);
  return message('D', Buffer.concat([text('\0\x01'), size, text(value)]));
};
const complete = message('C', text('SELECT 1\0'));
const failure = message('E', text('SERROR\0VERROR\0C22012\0Mdivision by zero\0\0'));
const ready = message('Z', text('I'));
const answer = (value: string): Buffer[] => [columns, row(value), complete, ready];

type LaneOfTwo = {
  readonly link: Link;
  feed(bytes: Buffer): void;
  readonly told: readonly string[];
  readonly units: readonly SharedUnit[];
  /** Those that were given back. */
  readonly lost: readonly SharedUnit[];
};

/** Two clients' units in one lane, and what each has been told. */
function laneOfTwo(): LaneOfTwo {
  const link = new Link({ send: () => {}, flush: () => {}, pause: () => {} }, new Map());
  const lane = new Lane(link, {
    hedgeMs: 20,
    linkStatementsMax: 10,
    nowMs: () => 0,
    catchUp: () => {},
    onResultTypeChanged: () => {},
    onLaneEmpty: () => {},
    onLaneLost: () => {},
    onMoved: () => {},
  });
  const told = ['', ''];
  const units: SharedUnit[] = [];
  const lost: SharedUnit[] = [];
  for (const at of [0, 1]) {
    const owner = {
      onAnswer: (chunk: Uint8Array, start: number, end: number) => {
        told[at] += Buffer.from(chunk.subarray(start, end)).toString('latin1');
      },
      onAnswerPause: () => {},
      onAnswered: () => {},
      onUnanswered: (unit) => lost.push(unit),
      rewriteAnswerError: () => null,
    } as Partial<UnitOwner> as UnitOwner;
    const unit = new SharedUnit(owner, query('SELECT 1'), null, Settings.NONE, new Estimate());
    units.push(unit);
    lane.send(unit);
  }
  return { link, feed: (bytes) => link.feed(bytes, 0, bytes.length), told, units, lost };
}

it('each client is told its own answer', () => {
  const { feed, told } = laneOfTwo();
  feed(Buffer.concat([...answer('a'), columns, failure, ready]));
  expect(told[0]).toContain('a');
  expect(told[1]).toContain('division by zero');
});

const whole = answer('a');
const CUT = whole.slice(1).map((_, at) => [at + 1, whole.slice(0, at + 1)] as const);

it.each(CUT)('an answer that ends after %i messages is not made whole by the next', (_, part) => {
  const { feed, told } = laneOfTwo();
  expect(() => feed(Buffer.concat([...part, ...answer('b')]))).toThrow('The origin sent');
  expect(told.join()).not.toContain('b');
});

const EXTRA: readonly (readonly [string, Buffer])[] = [
  ['a description', columns],
  ['a row', row('a')],
  ['a completion', complete],
  ['an error', failure],
  ['an end', ready],
  ['the beginning of a copy', message('H', text('\0\0\0'))],
];

it.each(EXTRA)('%s too many is not the beginning of the next answer', (_, one) => {
  const { feed, told } = laneOfTwo();
  expect(() => feed(Buffer.concat([...answer('a'), one, ...answer('b')]))).toThrow('The origin');
  expect(told[1]).toBe('');
});

describe('over a link that only reads', () => {
  const conflict = message('E', text('SERROR\0VERROR\0C40001\0Mconflict with recovery\0\0'));
  const long = row('x'.repeat(20_000));

  it('what such a server refuses is given back, and others hear their own', () => {
    const { feed, told, link, lost } = laneOfTwo();
    link.onlyReads = true;
    feed(Buffer.concat([columns, conflict, ready, ...answer('b')]));
    expect(told[0]).toBe('');
    expect(lost.map(({ isRefused }) => isRefused)).toEqual([true]);
    expect(told[1]).toContain('b');
  });

  it.each([
    ['any other error', false, [columns, failure, ready]],
    ['what broke off behind a part of it', false, [columns, long, conflict, ready]],
    ['what was cancelled', true, [columns, conflict, ready]],
  ])("%s is its client's to hear", (_, isCancelled, messages) => {
    const { feed, told, link, lost, units } = laneOfTwo();
    link.onlyReads = true;
    (units[0] as SharedUnit).isCancelled = isCancelled;
    for (const bytes of messages) feed(bytes);
    expect(told[0]).toMatch(/division by zero|conflict with recovery/);
    expect(lost).toEqual([]);
  });

  it('a server that writes says the same for good', () => {
    const { feed, told } = laneOfTwo();
    feed(Buffer.concat([columns, conflict, ready]));
    expect(told[0]).toContain('conflict with recovery');
  });
});
