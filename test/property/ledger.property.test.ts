import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServerCode } from '../../src/protocol/codes.ts';
import { Disposition, Ledger, OWN, Owed, SWALLOW } from '../../src/session/ledger.ts';

/**
 * What a client or the gateway sends, what a server answers to it, and whether it fails. The server
 * below follows the manual's "Message Flow" and knows nothing of the ledger.
 */
type Sent = { readonly owed: Owed; readonly flags: number; readonly fails: boolean };

const REPLIES: Readonly<Record<number, readonly number[]>> = {
  [Owed.Parse]: [ServerCode.ParseComplete],
  [Owed.Bind]: [ServerCode.BindComplete],
  [Owed.DescribeStatement]: [ServerCode.ParameterDescription, ServerCode.RowDescription],
  [Owed.DescribePortal]: [ServerCode.NoData],
  [Owed.Execute]: [ServerCode.DataRow, ServerCode.DataRow, ServerCode.CommandComplete],
  [Owed.Close]: [ServerCode.CloseComplete],
  [Owed.Query]: [
    ServerCode.RowDescription,
    ServerCode.DataRow,
    ServerCode.CommandComplete,
    ServerCode.EmptyQueryResponse,
  ],
  [Owed.FunctionCall]: [ServerCode.FunctionCallResponse],
};

type Reply = { readonly code: number; readonly of: Sent };

class Server {
  #skipping = false;

  answer(sent: Sent): Reply[] {
    if (sent.owed === Owed.Sync) {
      this.#skipping = false;
      const ready = { code: ServerCode.ReadyForQuery, of: sent };
      return sent.fails ? [{ code: ServerCode.ErrorResponse, of: sent }, ready] : [ready];
    }
    if (this.#skipping) return [];
    const replies = (REPLIES[sent.owed] as readonly number[]).map((code) => ({ code, of: sent }));
    const isSimple = sent.owed === Owed.Query || sent.owed === Owed.FunctionCall;
    const ready = isSimple ? [{ code: ServerCode.ReadyForQuery as number, of: sent }] : [];
    if (!sent.fails) return [...replies, ...ready];
    if (!isSimple) this.#skipping = true;
    const before = replies.slice(0, sent.owed === Owed.Execute || isSimple ? 1 : 0);
    return [...before, { code: ServerCode.ErrorResponse, of: sent }, ...ready];
  }
}

const sent: fc.Arbitrary<Sent> = fc.record({
  owed: fc.constantFrom(
    Owed.Parse,
    Owed.Bind,
    Owed.DescribeStatement,
    Owed.DescribePortal,
    Owed.Execute,
    Owed.Execute,
    Owed.Close,
    Owed.Sync,
    Owed.Sync,
    Owed.Query,
    Owed.FunctionCall,
  ),
  flags: fc.constantFrom(0, 0, 0, SWALLOW, SWALLOW | OWN),
  fails: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});

describe('Ledger', () => {
  it('gives every reply to whom it is owed, through errors, skips and any interleaving', () => {
    fc.assert(
      fc.property(
        fc.array(sent, { maxLength: 40 }),
        fc.array(fc.integer({ min: 0, max: 6 })),
        (script, rhythm) => {
          const ledger = new Ledger();
          const server = new Server();
          const inFlight: Reply[] = [];
          const told = new Map<Sent, string[]>();
          let beat = 0;
          const receive = (count: number) => {
            for (const { code, of } of inFlight.splice(0, count)) {
              const hidden = code === ServerCode.ErrorResponse ? OWN : SWALLOW | OWN;
              const expected =
                (of.flags & hidden) === 0 ? Disposition.Forward : Disposition.Swallow;
              expect(ledger.onReply(code)).toBe(expected);
            }
          };
          const note = (one: Sent, what: string) => told.set(one, [...(told.get(one) ?? []), what]);
          const all = [...script, { owed: Owed.Sync, flags: 0, fails: false }];
          for (const one of all) {
            ledger.push(one.owed, one.flags, {
              commit: () => note(one, 'commit'),
              rollback: (failed) => note(one, failed ? 'failed' : 'skipped'),
            });
            inFlight.push(...server.answer(one));
            receive(rhythm.length === 0 ? 0 : (rhythm[beat++ % rhythm.length] as number));
          }
          receive(inFlight.length);
          expect(ledger.size).toBe(0);
          // Everything that was sent has had exactly one end.
          for (const one of all) expect(told.get(one)).toHaveLength(1);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('refuses what nobody is owed', () => {
    const ledger = new Ledger();
    expect(ledger.onReply(ServerCode.DataRow)).toBe(Disposition.Mismatch);
    ledger.push(Owed.Bind, 0, null);
    expect(ledger.onReply(ServerCode.ParseComplete)).toBe(Disposition.Mismatch);
  });
});
