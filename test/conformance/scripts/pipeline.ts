/** Several units at once, and errors among them. PostgreSQL manual, "Message Flow", "Pipelining". */
import { readyStep, type Script, step } from '../../support/transcript.ts';
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
import { RESET_ITEMS } from './simple.ts';

const insert = (id: number, body: string): Buffer[] =>
  unnamed('INSERT INTO item VALUES ($1, $2)', [String(id), body]);
const COUNT = query('SELECT count(*) FROM item');

export const PIPELINE_SCRIPTS: readonly Script[] = [
  {
    name: 'several Syncs in one write',
    steps: [
      step(unnamed('SELECT 1'), sync(), unnamed('SELECT 2'), sync(), unnamed('SELECT 3'), sync()),
      step(unnamed('SELECT 1'), sync(), query('SELECT 2'), unnamed('SELECT 3'), sync(), sync()),
      step(...Array.from({ length: 60 }, (_, n) => [...unnamed(`SELECT ${n}`), sync()])),
    ],
  },
  {
    name: 'several statements under one Sync are one transaction',
    reset: RESET_ITEMS,
    steps: [
      step(insert(3, 'x'), insert(4, 'y'), sync(), COUNT),
      step(insert(5, 'x'), insert(5, 'y'), insert(6, 'z'), sync(), COUNT),
      step(insert(7, 'x'), sync(), insert(7, 'y'), sync(), insert(8, 'z'), sync(), COUNT),
    ],
  },
  {
    name: 'an error at Parse, Bind, Execute or Describe skips to the Sync',
    steps: [
      step(unnamed('SELEC'), unnamed('SELECT 2'), sync(), unnamed('SELECT 3'), sync()),
      step(parse('', 'SELECT $1::int'), bind('', ''), execute(), unnamed('SELECT 2'), sync()),
      step(unnamed('SELECT 1/0'), closeMessage('S', 'x'), describeMessage('P', ''), sync()),
      step(describeMessage('S', 'none'), unnamed('SELECT 2'), sync(), sync()),
      step(
        unnamed('SELECT 1/(7 - i) FROM generate_series(1, 9) AS i'),
        unnamed('SELECT 2'),
        sync(),
      ),
      step(
        unnamed('SELECT 1'),
        unnamed('SELECT 1/0'),
        unnamed('SELECT 3'),
        sync(),
        query('SELECT 4'),
      ),
    ],
  },
  {
    name: 'a simple Query before the Sync of a failed unit is skipped',
    steps: [
      readyStep(1, unnamed('SELECT 1/0'), query('SELECT 2'), sync()),
      readyStep(
        2,
        unnamed('SELEC'),
        query('SELECT 2'),
        query('SELECT 3'),
        sync(),
        query('SELECT 4'),
      ),
      step(unnamed('SELECT 1'), query('SELECT 2')),
    ],
  },
  {
    name: 'a simple Query inside a unit ends it, when nothing has run there',
    steps: [
      step(parse('n', 'SELECT 1'), bind('', 'n'), query('SELECT 2')),
      step(sync(), query('SELECT 3')),
      step(bind('p', 'n'), query('SELECT 4'), execute('p'), sync()),
      step(parse('', 'SELECT 5'), query('SELECT 6')),
      step(bind('', 'n'), execute(), sync()),
    ],
  },
  {
    name: 'a transaction in one write',
    reset: RESET_ITEMS,
    steps: [
      step(unnamed('BEGIN'), insert(3, 'x'), unnamed('COMMIT'), sync(), COUNT),
      step(
        unnamed('BEGIN'),
        sync(),
        insert(4, 'x'),
        sync(),
        insert(4, 'y'),
        sync(),
        unnamed('SELECT 1'),
        sync(),
        unnamed('ROLLBACK'),
        sync(),
        COUNT,
      ),
      step(query('BEGIN'), insert(5, 'x'), sync(), query('COMMIT'), COUNT),
      step(unnamed('BEGIN'), insert(6, 'x'), sync()),
      step(unnamed('SELECT 1/0'), unnamed('COMMIT'), sync(), unnamed('COMMIT'), sync(), COUNT),
      step(insert(7, 'x'), unnamed('ROLLBACK'), sync(), COUNT),
      step(insert(8, 'x'), unnamed('BEGIN'), sync(), query('ROLLBACK'), COUNT),
    ],
  },
  {
    name: 'a constraint that fails only at the Sync',
    reset: 'TRUNCATE late',
    steps: [
      step(unnamed('INSERT INTO late VALUES (1)'), sync()),
      step(unnamed('INSERT INTO late VALUES (1)'), unnamed('SELECT 1'), sync(), query('SELECT 2')),
      step(
        unnamed('BEGIN'),
        unnamed('INSERT INTO late VALUES (1)'),
        sync(),
        unnamed('COMMIT'),
        sync(),
      ),
      step(query('INSERT INTO late VALUES (1)'), query('INSERT INTO late VALUES (2)')),
      step(query('SELECT count(*) FROM late')),
    ],
  },
  {
    name: 'named statements made, used and closed in one write',
    steps: [
      step(
        parse('a', 'SELECT $1::text'),
        bind('', 'a', ['1']),
        execute(),
        closeMessage('S', 'a'),
        parse('a', 'SELECT $1::int'),
        bind('', 'a', ['2']),
        execute(),
        sync(),
      ),
      step(
        parse('b', 'SELECT 3'),
        sync(),
        parse('b', 'SELECT 4'),
        sync(),
        bind('', 'b'),
        execute(),
        sync(),
      ),
      step(
        bind('', 'b'),
        execute(),
        sync(),
        bind('', 'b'),
        execute(),
        bind('', 'a', ['5']),
        execute(),
        sync(),
      ),
      step(
        parse('c', 'SELECT 1'),
        parse('d', 'SELEC'),
        parse('e', 'SELECT 2'),
        sync(),
        bind('', 'c'),
        execute(),
        sync(),
        bind('', 'e'),
        execute(),
        sync(),
      ),
      step(closeMessage('S', 'b'), unnamed('SELECT 1/0'), sync(), bind('', 'b'), execute(), sync()),
      step(
        closeMessage('S', 'c'),
        bind('', 'c'),
        execute(),
        sync(),
        bind('', 'c'),
        execute(),
        sync(),
      ),
    ],
  },
  {
    name: 'warnings behind a Close and a Parse of what is known',
    steps: [
      step(parse('w', 'SELECT 1'), sync(), closeMessage('S', 'w'), sync()),
      step(parse('w', 'SELECT 1'), unnamed('ROLLBACK'), closeMessage('S', 'w'), sync()),
      step(parse('w', 'SELECT 1'), unnamed("SET TimeZone = 'Asia/Tokyo'"), sync()),
    ],
  },
  {
    name: 'settings within a pipeline',
    steps: [
      step(unnamed("SET TimeZone = 'Asia/Tokyo'"), sync(), unnamed('SHOW TimeZone'), sync()),
      step(
        unnamed(
          "SELECT set_config('TimeZone', 'UTC', false), set_config('DateStyle', 'German', false)",
        ),
        sync(),
      ),
      step(
        unnamed("SET TimeZone = 'Asia/Tokyo'"),
        unnamed('SELECT 1/0'),
        sync(),
        query('SHOW TimeZone'),
      ),
      step(query('SHOW DateStyle'), query('RESET DateStyle'), unnamed('RESET TimeZone'), sync()),
    ],
  },
];
