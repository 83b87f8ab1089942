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
