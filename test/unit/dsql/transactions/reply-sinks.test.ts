import { describe, expect, it } from 'vitest';
import { MessageWriter } from '../../../../src/base/bytes.ts';
import { ANSWER_BYTES_MAX } from '../../../../src/dsql/transactions/quotas.ts';
import { KeepingSink, StreamingSink } from '../../../../src/dsql/transactions/reply-sinks.ts';
import { ServerCode } from '../../../../src/protocol/codes.ts';

const row = (...values: readonly (string | null)[]): Buffer => {
  const writer = new MessageWriter().begin(ServerCode.DataRow).int16(values.length);
  for (const value of values) {
    writer.int32(value === null ? -1 : Buffer.byteLength(value));
    if (value !== null) writer.bytes(Buffer.from(value));
  }
  return writer.end().take();
};

const columns = (...names: readonly string[]): Buffer => {
  const writer = new MessageWriter().begin(ServerCode.RowDescription).int16(names.length);
  for (const name of names) {
    writer.cstring(name).int32(0).int16(0).int32(25).int16(-1).int32(-1).int16(0);
  }
  return writer.end().take();
};

const bare = (code: number): Buffer => new MessageWriter().begin(code).end().take();
const tag = new MessageWriter().begin(ServerCode.CommandComplete).cstring('SELECT 1').end().take();

function given(fill: (sink: { take(messages: Buffer): void }) => void): Buffer {
  const kept: Buffer[] = [];
  fill({ take: (messages) => kept.push(messages) });
  return Buffer.concat(kept);
}

describe('what a client is given as it comes', () => {
  it('leaves out the steps that it did not ask for, and the end', () => {
    const sent = Buffer.concat([
      bare(ServerCode.ParseComplete),
      bare(ServerCode.BindComplete),
      row('a'),
      row(null),
      tag,
    ]);
    const out = given((sink) => new StreamingSink(sink).take(sent));
    expect(out).toEqual(Buffer.concat([row('a'), row(null)]));
  });

  it('counts as nothing given when nothing of it is for the client', () => {
    const sink = new StreamingSink({ take: () => expect.fail('nothing is for the client') });
    sink.take(Buffer.concat([bare(ServerCode.BindComplete), tag]));
    expect(sink.hasGiven).toBe(false);
  });

  it('asks for the rows of a COPY only who can send them', () => {
    expect(new StreamingSink({ take: () => {} }).copyIn).toBeUndefined();
    const asked: string[] = [];
    const sink = new StreamingSink({ take: () => {}, copyIn: () => asked.push('rows') });
    sink.copyIn?.();
    expect(asked).toEqual(['rows']);
    expect(sink).toMatchObject({ hasCopiedIn: true, hasGiven: true });
  });
});

describe('what is kept until it is whole', () => {
  const answer = Buffer.concat([columns('id', 'row'), row('1', '(1,a)'), row(null, '(,é)'), tag]);

  it('has the column taken off that was added, which is captured', () => {
    const sink = new KeepingSink({ hasReturning: true });
    sink.take(answer);
    expect(sink.captured).toEqual(['(1,a)', '(,é)']);
    expect(sink.capturedBytes).toBe(10);
    const out = given((to) => sink.giveTo(to));
    expect(out).toEqual(Buffer.concat([columns('id'), row('1'), row(null)]));
  });

  it('is nothing when the statement returned nothing by itself', () => {
    const sink = new KeepingSink({ hasReturning: false });
    sink.take(Buffer.concat([columns('row'), row('(1,a)')]));
    expect(sink.captured).toEqual(['(1,a)']);
    expect(given((to) => sink.giveTo(to))).toHaveLength(0);
  });

  it('says so when a row could not be captured', () => {
    const sink = new KeepingSink({ hasReturning: false });
    sink.take(Buffer.concat([columns('row'), row('(1,a)'), tag]));
    expect(sink.hasMissed).toBe(false);
    sink.take(Buffer.concat([row(null), row('(2,b)'), tag]));
    expect(sink.hasMissed).toBe(true);
  });

  it('is told apart by its rows, not by their order', () => {
    const digestOf = (...rows: readonly Buffer[]): string => {
      const sink = new KeepingSink();
      for (const one of rows) sink.take(one);
      return sink.digest;
    };
    expect(digestOf(row('a'), row('b'))).toBe(digestOf(row('b'), row('a')));
    expect(digestOf(row('a'), row('b'))).not.toBe(digestOf(row('a'), row('c')));
    expect(digestOf(row('a'))).not.toBe(digestOf(row('a'), row('a')));
    expect(digestOf(row(''))).not.toBe(digestOf(row(null)));
    expect(digestOf()).not.toBe(digestOf(row()));
  });

  it('is refused in DSQL’s words when it is more than can be kept', () => {
    const sink = new KeepingSink();
    const large = row('x'.repeat(1 << 20));
    for (let size = 0; size <= ANSWER_BYTES_MAX; size += large.length) sink.take(large);
    expect(() => sink.assertKept()).toThrow(
      'query requires more than allowed temp space of 131072 KB to execute',
    );
    expect(given((to) => sink.giveTo(to))).toHaveLength(0);
  });
});
