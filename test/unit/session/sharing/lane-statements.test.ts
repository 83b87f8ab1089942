import { expect, it } from 'vitest';
import { Link } from '../../../../src/session/link.ts';
import { type OriginKind, originRules } from '../../../../src/session/origin-rules.ts';
import { Settings } from '../../../../src/session/settings.ts';
import { Estimate } from '../../../../src/session/sharing/estimate.ts';
import { LaneStatements } from '../../../../src/session/sharing/lane-statements.ts';
import { type ExtendedParts, extendedParts } from '../../../../src/session/sharing/read-unit.ts';
import {
  type PreparedRead,
  SharedUnit,
  type UnitOwner,
} from '../../../../src/session/sharing/shared-unit.ts';
import type { Statement } from '../../../../src/session/statements/statements.ts';
import { opaqueFacts } from '../../../../src/sql/facts/facts.ts';
import { bind, execute, parse, sync } from '../../../support/wire-messages.ts';

/** Sends units of a statement through a lane, and tells which messages were written for each. */
function laneOf(
  clock: { nowMs: number },
  kind: OriginKind = 'postgres',
): (isParsed: boolean) => string {
  let written = '';
  const send = (chunk: Uint8Array, start: number) => {
    if (start === 0 && chunk.length >= 5) written += String.fromCharCode(chunk[0] as number);
  };
  const link = new Link({ send, flush: () => {}, pause: () => {} }, new Map(), originRules(kind));
  const statements = new LaneStatements(link, {
    linkStatementsMax: 10,
    nowMs: () => clock.nowMs,
    onResultTypeChanged: () => {},
  });
  const body = parse('', 'SELECT 1').subarray(5);
  const facts = opaqueFacts(0, '');
  const statement: Statement = { key: 'k', signature: '', body, facts, described: null };
  return (isParsed) => {
    const run = [bind('', isParsed ? '' : 's'), execute(), sync()];
    const chunk = Buffer.concat(isParsed ? [parse('', 'SELECT 1'), ...run] : run);
    const parts = extendedParts(chunk) as ExtendedParts;
    const read: PreparedRead = { parts, name: isParsed ? '' : 's', statement, told: null };
    const owner = {} as UnitOwner;
    written = '';
    statements.send(new SharedUnit(owner, chunk, read, Settings.NONE, new Estimate()), read);
    return written;
  };
}

it('a text without a name is parsed anew on a link after 5 seconds, and not before', () => {
  const clock = { nowMs: 1_000 };
  const send = laneOf(clock);
  expect(send(true)).toContain('P');
  clock.nowMs += 4_999;
  expect(send(true)).not.toContain('P');
  clock.nowMs += 1;
  expect(send(true)).toContain('P');
  clock.nowMs += 4_999;
  expect(send(true)).not.toContain('P');
});

// Fails when `unnamedRunsMax` is not looked at.
it('a text without a name gets no generic plan where custom plans cannot be asked for', () => {
  const send = laneOf({ nowMs: 1_000 }, 'dsql');
  const parses = Array.from({ length: 12 }, () => send(true).includes('P'));
  expect(parses.flatMap((isParse, n) => (isParse ? [n] : []))).toEqual([0, 5, 10]);
  const named = laneOf({ nowMs: 1_000 }, 'dsql');
  expect(Array.from({ length: 12 }, () => named(false).includes('P')).filter(Boolean)).toHaveLength(
    1,
  );
});

it('a statement with a name stays what its client has prepared', () => {
  const clock = { nowMs: 1_000 };
  const send = laneOf(clock);
  expect(send(false)).toContain('P');
  clock.nowMs += 60_000;
  expect(send(false)).not.toContain('P');
});
