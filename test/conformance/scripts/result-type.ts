/** Statements whose result type has changed: `RevalidateCachedQuery` in plancache.c. */
import { type Script, step } from '../../support/transcript.ts';
import {
  bind,
  describeMessage,
  execute,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';

const RESET = `DROP TABLE IF EXISTS shifting; CREATE TABLE shifting (a int, b varchar(5));
  INSERT INTO shifting VALUES (1, 'x')`;
/** Without the table's number, which is another one in each run. */
const STAR = 'SELECT * FROM shifting UNION ALL SELECT * FROM shifting WHERE false';
const use = (name: string): Buffer[] => [bind('', name), execute(), sync()];
const make = (name: string, sql: string): Buffer[] => [parse(name, sql), sync()];
const describe = (name: string): Buffer[] => [describeMessage('S', name), sync()];

export const RESULT_TYPE_SCRIPTS: readonly Script[] = [
  {
    name: 'a result type that has changed inside a transaction',
    reset: RESET,
    steps: [
      step(make('s', STAR), use('s')),
      step(query('BEGIN; ALTER TABLE shifting ADD c int DEFAULT 5')),
      step(use('s'), query('ROLLBACK')),
      step(use('s')),
    ],
  },
  {
    name: 'a result type that has changed, and what is parsed afterwards',
    reset: RESET,
    steps: [
      step(make('s', STAR), describe('s'), use('s')),
      step(query('ALTER TABLE shifting ALTER a TYPE text')),
      step(use('s'), describe('s')),
      step(make('t', STAR), describe('t'), use('t'), use('s')),
      step(query('ALTER TABLE shifting ALTER a TYPE int USING a::int')),
      step(use('t'), use('s')),
      step(query('ALTER TABLE shifting ALTER b TYPE varchar(9)')),
      step(use('s'), unnamed(STAR), sync()),
      step(query('ALTER TABLE shifting RENAME b TO d')),
      step(use('s'), unnamed(STAR), sync(), use('t')),
    ],
  },
  {
    name: 'a result type that has changed before the first use',
    reset: RESET,
    steps: [
      step(
        make('s', STAR),
        make('u', 'WITH u AS (UPDATE shifting SET a = a RETURNING *) TABLE u UNION TABLE u'),
      ),
      step(query('ALTER TABLE shifting DROP b')),
      step(use('s'), use('u'), use('s')),
      step(query('BEGIN'), use('u')),
      step(query('ROLLBACK'), use('s')),
    ],
  },
  {
    name: 'a result type of the unnamed statement that has changed',
    reset: RESET,
    steps: [
      step(make('', STAR)),
      step(use('')),
      step(make('', STAR), make('other', 'ALTER TABLE shifting ADD c int')),
      step(use('other')),
      step(use('')),
      step(describe(''), use('')),
      step(make('', STAR), use('')),
    ],
  },
  {
    name: 'parameter types that were found before a change',
    reset: RESET,
    steps: [
      step(make('p', 'SELECT a = $1, a + $2 FROM shifting'), describe('p')),
      step(query('ALTER TABLE shifting ALTER a TYPE smallint')),
      step(describe('p'), bind('', 'p', ['70000', '1']), execute(), sync()),
      step(make('p2', 'UPDATE shifting SET a = $1'), describe('p2')),
      step(query('ALTER TABLE shifting ALTER a TYPE text')),
      step(describe('p2'), bind('', 'p2', ['70000']), execute(), sync()),
    ],
  },
  {
    name: 'changes of a table that leave the result type as it is',
    reset: RESET,
    steps: [
      step(make('s', 'SELECT a + 1 FROM shifting'), make('u', 'UPDATE shifting SET a = 2')),
      step(query('ALTER TABLE shifting ADD c int, DROP b')),
      step(use('s'), use('u'), describe('u')),
      step(query('DROP TABLE shifting')),
      step(use('s'), query('CREATE TABLE shifting (c text, a int)')),
      step(use('s'), describe('s'), use('u')),
    ],
  },
];
