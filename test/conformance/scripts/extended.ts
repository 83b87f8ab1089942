/** The extended protocol, one unit at a time. PostgreSQL manual, "Message Flow", "Extended Query". */
import { partStep, type Script, step } from '../../support/transcript.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';
import { RESET_ITEMS } from './simple.ts';

const SERIES = 'SELECT i FROM generate_series(1, 7) AS i';
const INT4 = 23;

export const EXTENDED_SCRIPTS: readonly Script[] = [
  {
    name: 'each message in its usual order',
    reset: RESET_ITEMS,
    steps: [
      step(parse('', 'SELECT $1::int + 1 AS n'), describeMessage('S', ''), sync()),
      step(bind('', '', ['41']), describeMessage('P', ''), execute(), sync()),
      step(unnamed('SELECT 1'), sync()),
      step(unnamed('UPDATE item SET body = $1 WHERE id = 1', ['uno']), sync()),
      step(unnamed(''), sync()),
      step(parse('', ''), describeMessage('S', ''), bind('', ''), describeMessage('P', ''), sync()),
      step(unnamed('INSERT INTO item VALUES (9, $1) RETURNING id, body', [null]), sync()),
    ],
  },
  {
    name: 'only parts of a unit',
    steps: [
      step(sync()),
      step(sync(), sync(), sync()),
      step(parse('', 'SELECT 1'), sync()),
      step(parse('a', 'SELECT 2'), sync(), bind('', 'a'), sync(), execute(), sync()),
      step(bind('p', 'a'), closeMessage('P', 'p'), execute('p'), sync()),
      step(bind('p', 'a'), execute('p'), execute('p'), closeMessage('P', 'p'), sync()),
      step(describeMessage('S', 'a'), sync()),
    ],
  },
  {
    name: 'formats, binary and mixed',
    steps: [
      step(parse('f', 'SELECT $1::int4 AS i, $2::text AS t, $3::bool AS b', [INT4]), sync()),
      step(
        bind('', 'f', [Buffer.from([0, 0, 1, 0]), 'é', null], [1, 0, 0], [1]),
        execute(),
        sync(),
      ),
      step(
        bind('', 'f', ['5', 'x', 't'], [], [0, 1, 1]),
        describeMessage('P', ''),
        execute(),
        sync(),
      ),
      step(bind('', 'f', ['5', 'x', 't'], [0, 0], []), execute(), sync()),
      step(bind('', 'f', ['5', 'x', 't'], [7], []), execute(), sync()),
      step(bind('', 'f', ['5', 'x', 't'], [], [0, 0]), execute(), sync()),
      step(bind('', 'f', [Buffer.from([1]), 'x', 't'], [1, 0, 0]), execute(), sync()),
      step(bind('', 'f', ['5']), execute(), sync()),
    ],
  },
  {
    name: 'portals with a limit of rows in a transaction',
    steps: [
      step(query('BEGIN')),
      step(parse('', SERIES), bind('p', ''), execute('p', 3), sync()),
      step(execute('p', 3), sync()),
      step(execute('p', 3), execute('p', 3), sync()),
      step(bind('q', ''), execute('q', 2), execute('q', 1), execute('q'), sync()),
      step(bind('q', ''), sync()),
      step(query('ROLLBACK')),
      step(execute('p'), sync()),
    ],
  },
  {
    name: 'a portal with a limit of rows outside a transaction ends at Sync',
    steps: [
      step(parse('', SERIES), bind('p', ''), execute('p', 3), execute('p', 3), sync()),
      step(execute('p', 3), sync()),
      step(parse('', SERIES), bind('', ''), execute('', 2), sync()),
      step(execute('', 2), sync()),
    ],
  },
  {
    name: 'named statements: parsed twice, unknown, closed, parsed again',
    steps: [
      step(parse('s', 'SELECT 1 AS a'), sync()),
      step(parse('s', 'SELECT 2 AS b'), sync()),
      step(bind('', 's'), execute(), sync()),
      step(parse('s', 'SELECT 1 AS a'), sync()),
      step(bind('', 'unknown'), execute(), sync()),
      step(describeMessage('S', 'unknown'), sync()),
      step(describeMessage('P', 'unknown'), sync()),
      step(execute('unknown'), sync()),
      step(closeMessage('S', 'unknown'), closeMessage('P', 'unknown'), sync()),
      step(closeMessage('S', 's'), parse('s', 'SELECT 3 AS c'), bind('', 's'), execute(), sync()),
      step(closeMessage('S', 's'), bind('', 's'), execute(), sync()),
      step(parse('s', 'SELECT 4'), parse('s', 'SELECT 5'), parse('t', 'SELECT 6'), sync()),
      step(bind('', 's'), execute(), sync(), bind('', 't'), execute(), sync()),
    ],
  },
  {
    name: 'names of statements that look like somebody else’s',
    steps: [
      step(bind('', 'mr_1'), execute(), sync(), describeMessage('S', 'millrace_1'), sync()),
      step(parse('mr_1', 'SELECT 1'), parse('1', 'SELECT 2'), parse('"', 'SELECT 3'), sync()),
      step(bind('', '"'), execute(), sync(), bind('', 'mr_1'), execute(), sync()),
      step(parse('é'.repeat(40), 'SELECT 4'), bind('', 'é'.repeat(40)), execute(), sync()),
    ],
  },
  {
    name: 'errors speak of the name that the message used, of several for one text',
    steps: [
      step(parse('f', 'SELECT 1 AS named'), parse('g', 'SELECT 1 AS named'), sync()),
      step(bind('', 'g', ['x']), bind('', 'f'), sync(), bind('', 'f', ['x']), sync()),
      step(bind('', 'f', ['x']), bind('', 'g'), sync()),
      step(bind('', 'g', ['x']), sync(), parse('f', 'SELECT 2'), sync()),
      step(bind('', 'g', ['x']), sync()),
      step(parse('f', 'SELECT 2'), sync(), bind('', 'g', ['x']), sync()),
    ],
  },
  {
    name: 'a Parse that fails leaves no statement',
    steps: [
      step(parse('bad', 'SELEC 1'), sync()),
      step(bind('', 'bad'), execute(), sync()),
      step(parse('bad', 'SELECT nothing'), bind('', 'bad'), execute(), sync()),
      step(closeMessage('S', 'bad'), sync()),
      step(parse('bad', 'SELECT 1'), bind('', 'bad'), execute(), sync()),
      step(
        parse('', 'SELECT 1'),
        sync(),
        parse('', 'SELEC'),
        sync(),
        bind('', ''),
        execute(),
        sync(),
      ),
      step(parse('two', 'SELECT 1; SELECT 2'), sync(), describeMessage('S', 'two'), sync()),
      step(parse('types', 'SELECT $1'), describeMessage('S', 'types'), sync()),
      step(parse('holes', 'SELECT $2::int'), describeMessage('S', 'holes'), sync()),
    ],
  },
  {
    name: 'a Parse that was skipped leaves no statement',
    steps: [
      step(unnamed('SELECT 1/0'), parse('later', 'SELECT 1'), sync()),
      step(bind('', 'later'), execute(), sync()),
      step(parse('kept', 'SELECT 7'), unnamed('SELECT 1/0'), closeMessage('S', 'kept'), sync()),
      step(bind('', 'kept'), execute(), sync()),
      step(query('BEGIN'), parse('tx', 'SELECT 8'), sync(), query('ROLLBACK')),
      step(bind('', 'tx'), execute(), sync()),
    ],
  },
  {
    name: 'a simple Query takes the unnamed statement and portal away',
    steps: [
      step(parse('', 'SELECT 1'), sync(), query('SELECT 2'), bind('', ''), execute(), sync()),
      step(query('BEGIN'), unnamed('SELECT 3'), sync()),
      step(query('SELECT 4'), execute(), sync()),
      step(query('ROLLBACK')),
      step(parse('', 'SELECT 5'), sync(), query('SELEC'), bind('', ''), execute(), sync()),
      step(parse('', 'SELECT 6'), sync(), query(''), bind('', ''), execute(), sync()),
      step(parse('', 'SELECT 7'), closeMessage('S', ''), sync(), bind('', ''), execute(), sync()),
    ],
  },
  {
    name: 'Flush without Sync',
    steps: [
      partStep(1, parse('f', 'SELECT $1::int AS n'), flush()),
      partStep(2, describeMessage('S', 'f'), flush()),
      partStep(3, bind('', 'f', ['1']), execute(), flush()),
      partStep(2, parse('f2', 'SELECT 2'), closeMessage('S', 'f2'), flush()),
      partStep(0, flush(), flush()),
      step(sync()),
      partStep(2, closeMessage('S', 'f'), closeMessage('S', 'none'), flush()),
      partStep(1, bind('', 'f', ['1']), flush()),
      partStep(0, parse('skipped', 'SELECT 1'), flush()),
      step(sync()),
      step(flush(), sync(), flush()),
    ],
  },
];
