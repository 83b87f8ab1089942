import { describe, expect, it } from 'vitest';
import { ServerCode } from '../../../src/protocol/codes.ts';
import { Disposition, LEDGER_ENTRIES_MAX, Ledger, Owed } from '../../../src/session/ledger.ts';

const { Forward } = Disposition;

/** An Execute that became a COPY from the client, with a Sync behind it as libpq sends it. */
function copyUnderWay(): Ledger {
  const ledger = new Ledger();
  ledger.push(Owed.Execute, 0, null);
  ledger.push(Owed.Sync, 0, null);
  expect(ledger.onReply(ServerCode.CopyInResponse)).toBe(Forward);
  expect(ledger.isCopyIn).toBe(true);
  return ledger;
}

describe('Ledger', () => {
  // Fails when Ledger.push counts a Sync inside COPY.
  it('hazard 14: expects no ReadyForQuery for a Sync that was lost inside a COPY', () => {
    const ledger = copyUnderWay();
    ledger.push(Owed.Sync, 0, null); // inside the COPY: the server ignores it
    expect(ledger.onReply(ServerCode.CommandComplete)).toBe(Forward);
    expect(ledger.isCopyIn).toBe(false);
    expect(ledger.size).toBe(0);
    ledger.push(Owed.Sync, 0, null);
    expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
    expect(ledger.size).toBe(0);
    expect(ledger.isAmbiguous).toBe(false);
  });

  // Fails when a link is not ambiguous after such an error.
  it('hazard 14: tolerates either count of ReadyForQuery after a COPY that failed', () => {
    for (const extra of [0, 1]) {
      const ledger = copyUnderWay();
      expect(ledger.onReply(ServerCode.ErrorResponse)).toBe(Forward);
      ledger.push(Owed.Sync, 0, null);
      for (let n = 0; n <= extra; n++) {
        expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
      }
      expect(ledger.size).toBe(0);
      expect(ledger.isAmbiguous).toBe(true);
    }
  });

  // Fails when Ledger.#dropBehindHead drops nothing.
  it('hazard 14: forgets with the server what has no place inside a COPY', () => {
    for (const owed of [Owed.Query, Owed.Execute]) {
      const undone: string[] = [];
      const note = (name: string) => ({ commit: () => {}, rollback: () => undone.push(name) });
      const ledger = new Ledger();
      ledger.push(owed, 0, note('copy'));
      ledger.push(Owed.Sync, 0, null);
      expect(ledger.onReply(ServerCode.CopyInResponse)).toBe(Forward);
      ledger.push(Owed.Sync, 0, null);
      expect(ledger.takesCopyData).toBe(true);
      ledger.push(Owed.Parse, 0, note('forgotten'));
      expect(ledger.takesCopyData).toBe(false);
      ledger.push(Owed.Bind, 0, note('behind'));
      ledger.push(Owed.Sync, 0, null);
      expect(ledger.onReply(ServerCode.ErrorResponse, true)).toBe(Forward);
      expect(ledger.isAmbiguous).toBe(false);
      if (owed === Owed.Query) {
        expect(undone).toEqual(['forgotten', 'copy']);
        expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
        expect(ledger.onReply(ServerCode.BindComplete)).toBe(Forward);
      } else expect(undone).toEqual(['forgotten', 'behind', 'copy']);
      expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
      expect(ledger.size).toBe(0);
    }
  });

  // Fails when Ledger.#onReady asks for no completion.
  it.each([
    ['nothing', Owed.Query, []],
    ['columns and a row', Owed.Query, [ServerCode.RowDescription, ServerCode.DataRow]],
    [
      'columns behind a complete answer',
      Owed.Query,
      [ServerCode.CommandComplete, ServerCode.RowDescription],
    ],
    [
      'COPY data',
      Owed.Query,
      [ServerCode.CopyOutResponse, ServerCode.CopyData, ServerCode.CopyDone],
    ],
    ['nothing, of a function', Owed.FunctionCall, []],
  ])('takes no ReadyForQuery for the end of an answer with %s only', (_, owed, codes) => {
    const ledger = new Ledger();
    ledger.push(owed, 0, null);
    for (const code of codes) expect(ledger.onReply(code)).toBe(Forward);
    expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Disposition.Mismatch);
  });

  it.each([
    ['a command', Owed.Query, ServerCode.CommandComplete],
    ['an empty text', Owed.Query, ServerCode.EmptyQueryResponse],
    ['an error', Owed.Query, ServerCode.ErrorResponse],
    ['a function', Owed.FunctionCall, ServerCode.FunctionCallResponse],
    ['an error of a function', Owed.FunctionCall, ServerCode.ErrorResponse],
  ])('takes ReadyForQuery for the end of the answer to %s', (_, owed, code) => {
    const ledger = new Ledger();
    ledger.push(owed, 0, null);
    expect(ledger.onReply(code)).toBe(Forward);
    expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
    expect(ledger.size).toBe(0);
  });

  it('restores the oldest value of a name that a failed pipeline changed twice', () => {
    const ledger = new Ledger();
    const order: string[] = [];
    const note = (name: string) => ({
      commit: () => order.push(`${name} commit`),
      rollback: (failed: boolean) => order.push(`${name} ${failed ? 'failed' : 'skipped'}`),
    });
    ledger.push(Owed.Parse, 0, note('a'));
    ledger.push(Owed.SyntheticClose, 0, note('b'));
    ledger.push(Owed.Parse, 0, note('c'));
    ledger.push(Owed.Sync, 0, null);
    ledger.onReply(ServerCode.ErrorResponse);
    expect(order).toEqual(['c skipped', 'b skipped', 'a failed']);
    expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
  });

  // Fails when Ledger.push counts what comes while the server skips.
  it('hazard 12: a simple Query behind an error is skipped with everything else up to Sync', () => {
    const ledger = new Ledger();
    ledger.push(Owed.Execute, 0, null);
    ledger.onReply(ServerCode.ErrorResponse);
    expect(ledger.isSkipping).toBe(true);
    ledger.push(Owed.Query, 0, null);
    expect(ledger.size).toBe(0);
    ledger.push(Owed.Sync, 0, null);
    expect(ledger.isSkipping).toBe(false);
    expect(ledger.onReply(ServerCode.ReadyForQuery)).toBe(Forward);
  });

  it('says when it is full', () => {
    const ledger = new Ledger();
    for (let n = 0; n < LEDGER_ENTRIES_MAX; n++) ledger.push(Owed.Bind, 0, null);
    expect(ledger.isFull).toBe(true);
    expect(ledger.onReply(ServerCode.BindComplete)).toBe(Forward);
    expect(ledger.isFull).toBe(false);
  });
});
