/** Prepared statements by SQL, alone and beside those of the protocol, whose names are the same. */
import { type Script, step } from '../../support/transcript.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';

const use = (name: string, values: string[] = []): Buffer[] => [
  bind('', name, values),
  execute(),
  sync(),
];

export const SQL_STATEMENT_SCRIPTS: readonly Script[] = [
  {
    name: 'statements by SQL: PREPARE, EXECUTE, DEALLOCATE',
    steps: [
      step(query('PREPARE q (int) AS SELECT $1 + 1'), query('EXECUTE q (1)')),
      step(query('EXECUTE q (2)'), query('EXECUTE q (3); EXECUTE q (4)')),
      step(query('PREPARE q AS SELECT 1'), unnamed('EXECUTE q (5)'), sync()),
      step(query('DEALLOCATE q'), query('EXECUTE q (1)'), query('DEALLOCATE nothing')),
      step(query('PREPARE q AS SELECT $1::text, 2;'), query("EXECUTE q ('x')"), query('EXECUTE q')),
      step(query('DEALLOCATE PREPARE q'), query('DEALLOCATE q')),
    ],
  },
  {
    name: 'a statement by SQL and one of the protocol share their names',
    steps: [
      step(query('PREPARE q AS SELECT 1'), parse('q', 'SELECT 9'), sync()),
      step(use('q'), describeMessage('S', 'q'), sync()),
      step(parse('p', 'SELECT $1::int'), sync(), query('EXECUTE p (13)')),
      step(query('PREPARE p AS SELECT 1'), use('p', ['7'])),
      step(closeMessage('S', 'q'), sync(), query('EXECUTE q'), query('PREPARE q AS SELECT 2')),
      step(query('EXECUTE q'), query('DEALLOCATE q'), use('q')),
      step(query('DEALLOCATE p'), query('EXECUTE p (1)'), query('PREPARE p AS SELECT 5'), use('p')),
      step(query('DEALLOCATE ALL'), query('EXECUTE p'), use('p')),
      step(parse('c', 'SELECT 7'), sync(), query('EXECUTE c'), query('EXECUTE c')),
      step(query('EXECUTE c'), closeMessage('S', 'c'), sync(), query('EXECUTE c'), use('c')),
      step(query('PREPARE p AS SELECT 6'), query('EXECUTE p'), query('DISCARD ALL'), use('p')),
    ],
  },
  {
    name: 'a name that SQL has run comes to stand for something else, or does not',
    steps: [
      step(parse('c', 'SELECT 7'), sync(), query('EXECUTE c')),
      step(
        query('EXECUTE c'),
        closeMessage('S', 'c'),
        unnamed('PREPARE c AS SELECT 8'),
        sync(),
        query('EXECUTE c'),
      ),
      step(query('EXECUTE c'), query('DEALLOCATE c'), use('c'), query('EXECUTE c')),
      step(parse('c', 'SELECT 9'), sync(), query('EXECUTE c')),
      step(
        query('EXECUTE c'),
        unnamed('SELECT 1/0'),
        closeMessage('S', 'c'),
        parse('c', 'SELECT 10'),
        unnamed('EXECUTE c'),
        sync(),
        query('EXECUTE c'),
      ),
      step(query('EXECUTE c'), query('DEALLOCATE c'), use('c'), query('EXECUTE c')),
    ],
  },
  {
    name: 'EXECUTE of EXECUTE, and of itself',
    steps: [
      step(parse('one', 'SELECT 1'), parse('two', 'EXECUTE one'), parse('three', 'EXECUTE two')),
      step(sync(), query('EXECUTE three'), use('three'), query('EXECUTE two'), use('two')),
      step(parse('self', 'EXECUTE self'), sync(), query('EXECUTE self'), use('self')),
      step(parse('a', 'EXECUTE b'), parse('b', 'EXECUTE a'), sync(), query('EXECUTE a')),
      step(query('SELECT 1')),
    ],
  },
  {
    name: 'the types that a PREPARE names stay those of its statement',
    steps: [
      step(query('PREPARE t (text, int) AS SELECT $1, $2'), query("EXECUTE t ('a', '2')")),
      step(describeMessage('S', 't'), sync(), use('t', ['b', '3'])),
      step(query("EXECUTE t ('a', 'b')"), query('EXECUTE t (1)'), query('EXECUTE t (1, 2, 3)')),
      step(query('PREPARE u (nothing) AS SELECT $1'), query('EXECUTE u (1)')),
      step(query('PREPARE "Odd name;" (numeric(4, 1)) /* as */ AS SELECT $1'), query('SELECT 1')),
      step(query('EXECUTE "Odd name;" (12.34)'), use('Odd name;', ['1.25'])),
      step(query('-- first\n/* a /* b */ */ prepare c as -- behind\nSELECT 1 -- end')),
      step(query('EXECUTE c'), query('EXECUTE C'), query('EXECUTE "C"')),
    ],
  },
  {
    name: 'statements by SQL in transactions and in those that failed',
    steps: [
      step(query('BEGIN'), query('PREPARE a AS SELECT 1'), query('EXECUTE a'), query('ROLLBACK')),
      step(query('EXECUTE a'), query('BEGIN'), query('EXECUTE a'), query('EXECUTE a')),
      step(query('SELECT 1/0'), query('EXECUTE a'), query('PREPARE b AS SELECT 2')),
      step(query('DEALLOCATE a'), query('ROLLBACK'), query('EXECUTE a'), query('EXECUTE b')),
      step(query('BEGIN'), query('DEALLOCATE a'), query('ROLLBACK'), query('EXECUTE a')),
      step(query('BEGIN'), query('PREPARE a AS SELECT 4'), query('EXECUTE a'), query('COMMIT')),
      step(query('BEGIN'), query('EXECUTE nothing'), query('EXECUTE a'), query('COMMIT')),
      step(query('EXECUTE a'), query('PREPARE a AS SELECT'), query('EXECUTE a')),
    ],
  },
  {
    name: 'statements by SQL that fail to be prepared, or to run',
    steps: [
      step(query('PREPARE a AS SELEC 1'), query('EXECUTE a')),
      step(query('PREPARE a AS SELECT nothing'), query('EXECUTE a')),
      step(query('PREPARE a AS SELECT 1/$1::int'), query('EXECUTE a (0)'), query('EXECUTE a (1)')),
      step(query('EXECUTE a (nothing)'), query('EXECUTE a (1)'), query('PREPARE a AS SELECT none')),
      step(query('EXECUTE a (1)'), query('PREPARE AS SELECT 1'), query('EXECUTE')),
    ],
  },
  {
    name: 'EXECUTE in the extended protocol, in EXPLAIN and in CREATE TABLE',
    reset: 'DROP TABLE IF EXISTS made',
    steps: [
      step(query('PREPARE e (int) AS SELECT $1 AS n')),
      step(
        unnamed('EXECUTE e (1)'),
        sync(),
        unnamed('EXECUTE e (2)'),
        unnamed('EXECUTE e'),
        sync(),
      ),
      step(parse('x', 'EXECUTE e (3)'), describeMessage('S', 'x'), sync()),
      step(use('x'), query('DEALLOCATE e'), use('x')),
      step(query('PREPARE e (int) AS SELECT $1 AS n'), query('EXPLAIN (COSTS OFF) EXECUTE e (4)')),
      step(query('CREATE TABLE made AS EXECUTE e (5)'), query('SELECT n + 0 FROM made')),
      step(query('EXPLAIN EXECUTE nothing'), unnamed('EXECUTE nothing'), sync()),
    ],
  },
  {
    name: 'PREPARE in the extended protocol',
    steps: [
      step(unnamed('PREPARE e (int) AS SELECT $1 AS n'), sync()),
      step(query('EXECUTE e (1)'), use('e', ['2']), unnamed('EXECUTE e (3)'), sync()),
      step(unnamed('PREPARE e AS SELECT 1'), sync(), query('PREPARE e AS SELECT 1')),
      step(parse('p', 'PREPARE f AS SELECT 4 AS n'), sync(), query('EXECUTE f')),
      step(use('p'), use('f'), use('p'), query('DEALLOCATE f')),
      step(unnamed('SELECT 5'), bind('', 'p'), execute(), bind('', 'f'), execute(), sync()),
      step(bind('q', 'p'), bind('', 'f'), execute(), execute('q'), sync(), query('EXECUTE f')),
      step(query('DEALLOCATE f'), unnamed('SELECT 1/0'), bind('', 'p'), execute(), sync()),
      step(use('f'), unnamed('PREPARE f AS SELEC'), sync()),
      step(unnamed('PREPARE f AS SELECT none'), sync(), use('f')),
      step(query('BEGIN'), use('p'), use('f'), query('SELECT 1/0'), use('p')),
      step(query('ROLLBACK'), use('f'), unnamed('DEALLOCATE f'), unnamed('DEALLOCATE e'), sync()),
      step(use('f'), use('p'), unnamed('DEALLOCATE ALL'), sync(), use('f'), use('p')),
    ],
  },
  {
    name: 'several statements in one text, PREPARE among them',
    isPinned: true,
    steps: [
      step(query('PREPARE m AS SELECT 1; EXECUTE m; DEALLOCATE m'), query('EXECUTE m')),
      step(query('PREPARE m AS SELECT 2; EXECUTE m'), query('EXECUTE m'), use('m')),
      step(query('PREPARE m AS SELECT 3'), query('DEALLOCATE m'), query('EXECUTE m')),
      step(
        query('PREPARE m AS SELECT 4'),
        query('EXECUTE m; EXECUTE m'),
        query('EXECUTE m; SELEC'),
      ),
      step(query('EXECUTE m; SELECT 1/0'), query('EXECUTE m'), query('DEALLOCATE m')),
    ],
  },
  {
    name: 'a statement by SQL whose table changes',
    reset: `DO $$BEGIN ALTER TABLE bent RENAME TO bending;
        EXCEPTION WHEN undefined_table THEN NULL; END$$;
      ALTER TABLE bending DROP COLUMN IF EXISTS b`,
    steps: [
      step(query('PREPARE s AS SELECT * FROM bending'), query('EXECUTE s')),
      step(query('ALTER TABLE bending ADD b text'), query('EXECUTE s'), use('s')),
      step(query('ALTER TABLE bending DROP b'), query('EXECUTE s'), use('s')),
      step(
        query('ALTER TABLE bending RENAME TO bent'),
        query('BEGIN'),
        query('EXECUTE s'),
        query('COMMIT'),
      ),
    ],
  },
  {
    name: 'settings and effects of statements by SQL',
    steps: [
      step(query("PREPARE c AS SELECT set_config('application_name', $1, false)")),
      step(query("EXECUTE c ('of the statement')"), query('SHOW application_name')),
      step(query('PREPARE l AS SELECT 1'), query('SET search_path = pg_catalog')),
      step(query('EXECUTE l'), query('RESET search_path'), query('EXECUTE l')),
    ],
    isPinned: true,
  },
];
