import { expect, it } from 'vitest';
import { Link } from '../../../../src/session/link.ts';
import { Preparations, Readiness } from '../../../../src/session/statements/preparations.ts';
import type { Statement } from '../../../../src/session/statements/statements.ts';
import { opaqueFacts } from '../../../../src/sql/facts/facts.ts';

const facts = { ...opaqueFacts(0, ''), unparsed: false };
const unit = 1;

it('finds what a message was found to mean, also when all statements are forgotten meanwhile', () => {
  const link = new Link({ send: () => {}, flush: () => {}, pause: () => {} }, new Map());
  const restated = (of: Statement, signature: string): Statement => ({ ...of, signature });
  const table = new Map<string, Statement>();
  const preparations = new Preparations({
    catalogueEpoch: 0,
    restate: (of, signature) => {
      const known = table.get(signature) ?? restated(of, signature);
      table.set(signature, known);
      return known;
    },
    onResultTypeChanged: () => {},
  });
  const body = Buffer.from('SELECT 1\0\0\0', 'latin1');
  const original: Statement = { key: 'k', signature: 'UTC', body, facts, described: null };
  const held = preparations.send(original, link, unit, 'Tokyo');
  held.isDescribing = false;
  expect(preparations.readiness(original, link, unit, 'Tokyo')).toBe(Readiness.Ready);
  // Another client has changed the catalogue, which is heard of while the message is judged.
  table.clear();
  expect(preparations.find(original, link, unit, 'Tokyo')).toBe(held);
  // To the next message it is another statement.
  expect(preparations.readiness(original, link, unit, 'Tokyo')).toBe(Readiness.Missing);
});
