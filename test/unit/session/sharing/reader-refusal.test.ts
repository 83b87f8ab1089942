import { expect, it } from 'vitest';
import { isReadersOwn } from '../../../../src/session/sharing/reader-refusal.ts';

const fields = (sqlstate: string, message: string): string =>
  `SERROR\0VERROR\0C${sqlstate}\0M${message}\0\0`;

it.each([
  ['40001', 'canceling statement due to conflict with recovery'],
  ['40P01', 'canceling statement due to conflict with recovery'],
  ['0A000', 'cannot access temporary or unlogged relations during recovery'],
  ['0A000', 'cannot use serializable mode in a hot standby'],
  ['25006', 'cannot execute nextval() during recovery'],
  ['55000', 'recovery is in progress'],
  ['57P03', 'the database system is not accepting connections'],
  ['42P01', 'relation "young" does not exist'],
  ['42501', 'permission denied for table granted_just_now'],
])('%s, %s, is a word of a reader to which the writer may have an answer', (sqlstate, text) => {
  expect(isReadersOwn(fields(sqlstate, text))).toBe(true);
});

it.each([
  ['22012', 'division by zero'],
  ['57014', 'canceling statement due to user request'],
  ['53200', 'out of memory'],
  ['22023', 'C40001 is no code of an error'],
  ['55P03', 'could not obtain lock'],
])('%s, %s, is what the writer would say as well', (sqlstate, text) => {
  expect(isReadersOwn(fields(sqlstate, text))).toBe(false);
});
