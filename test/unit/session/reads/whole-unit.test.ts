import { describe, expect, it } from 'vitest';
import { WholeUnit } from '../../../../src/session/reads/whole-unit.ts';
import * as wire from '../../../support/wire-messages.ts';

const read = (...messages: readonly Uint8Array[]): WholeUnit | null => {
  const chunk = Buffer.concat(messages);
  const unit = new WholeUnit();
  return unit.read(chunk, 0, chunk.length) ? unit : null;
};
const parse = wire.parse('', 'SELECT 1');
const bind = wire.bind('', '');
const describe_ = wire.describeMessage('P', '');
const rest = [wire.execute(), wire.sync()];

const asks = [wire.parse('s', 'SELECT 1'), wire.describeMessage('S', 's')];

describe('the part of a unit that asks what a statement takes', () => {
  it.each([
    ['Flush', wire.flush(), false],
    ['Sync', wire.sync(), true],
  ])('ends with %s', (_name, last, isSynced) => {
    const unit = read(...asks, last, ...rest);
    expect(unit).toMatchObject({ isRun: false, describesStatement: true, isSynced });
    expect(unit?.end).toBe(Buffer.concat([...asks, last]).length);
  });

  it.each([
    ['of another statement', [asks[0], wire.describeMessage('S', 't'), wire.flush()]],
    ['of a name that only begins so', [asks[0], wire.describeMessage('S', 'st'), wire.flush()]],
    ['of the beginning of the name', [asks[0], wire.describeMessage('S', ''), wire.flush()]],
    ['of a portal', [asks[0], wire.describeMessage('P', 's'), wire.flush()]],
    ['without an end', asks],
  ])('is none %s', (_name, messages) => {
    expect(read(...(messages as Buffer[]))).toBeNull();
  });

  it('is told from a unit that runs it as well', () => {
    const unit = read(...asks, wire.bind('', 's'), ...rest);
    expect(unit).toMatchObject({ isRun: true, describesStatement: true, isDescribed: false });
  });
});

describe('a whole unit', () => {
  it.each([
    ['a simple Query', [wire.query('SELECT 1')]],
    ['Parse, Bind, Describe, Execute, Sync', [parse, bind, describe_, ...rest]],
    ['without a Describe', [parse, bind, ...rest]],
    ['of a named statement', [wire.bind('', 'a'), ...rest]],
  ])('is %s', (_name, messages) => {
    const unit = read(...messages, wire.query('SELECT 2'));
    expect(unit?.end).toBe(Buffer.concat(messages).length);
  });

  it.each([
    ['a Query with something behind its text', [wire.message('Q', Buffer.from('SELECT 1\0x\0'))]],
    ['a Query without an end', [wire.message('Q', Buffer.from('SELECT 1'))]],
    ['without a Sync', [parse, bind, wire.execute()]],
    ['with a Flush', [parse, bind, wire.flush(), ...rest]],
    ['with a limit of rows', [parse, bind, wire.execute('', 1), wire.sync()]],
    ['of a named portal', [parse, wire.bind('p', ''), wire.execute('p'), wire.sync()]],
    ['with another portal', [parse, bind, wire.execute('p'), wire.sync()]],
    [
      'with a Describe of the statement behind its Bind',
      [parse, bind, wire.describeMessage('S', ''), ...rest],
    ],
    ['of two statements', [parse, bind, wire.execute(), bind, ...rest]],
    ['a Parse alone', [parse, wire.sync()]],
    ['a Sync alone', [wire.sync()]],
    ['a lie about its length', [wire.message('Q', Buffer.from('SELECT 1\0'), 2)]],
  ])('is not %s', (_name, messages) => {
    expect(read(...messages)).toBeNull();
  });

  it('is not one of which anything is missing', () => {
    const whole = Buffer.concat([parse, bind, describe_, ...rest]);
    for (let size = 0; size < whole.length; size++) {
      expect(new WholeUnit().read(whole, 0, size)).toBe(false);
    }
  });
});
