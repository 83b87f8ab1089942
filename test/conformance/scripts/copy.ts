/** COPY both ways. PostgreSQL manual, "Message Flow", "COPY Operations". */
import { partStep, readyStep, type Script, step } from '../../support/transcript.ts';
import {
  bind,
  closeMessage,
  copyData,
  copyDone,
  copyFail,
  describeMessage,
  execute,
  flush,
  functionCall,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';
import { RESET_ITEMS } from './simple.ts';

const IN = 'COPY item FROM STDIN';
const OUT = 'COPY (SELECT i, repeat($$x$$, i % 90) FROM generate_series(1, 300) AS i) TO STDOUT';
const COUNT = query('SELECT count(*), sum(id) FROM item');
/** After the CopyInResponse, and after a CopyInResponse behind ParseComplete and BindComplete. */
const SIMPLE_WAITS = 1;
const EXTENDED_WAITS = 3;

export const COPY_SCRIPTS: readonly Script[] = [
  {
    name: 'COPY out',
    steps: [
      step(query(OUT)),
      step(query(`SELECT 1; ${OUT}; SELECT 2`)),
      step(unnamed(OUT), sync()),
      step(unnamed(OUT), unnamed('SELECT 3'), sync(), query('SELECT 4')),
      step(query('COPY (SELECT 1/(3 - i) FROM generate_series(1, 5) AS i) TO STDOUT')),
      step(query('COPY nothing TO STDOUT')),
      step(query('COPY (SELECT 1) TO STDOUT (FORMAT binary)')),
    ],
  },
  {
    name: 'COPY in by a simple Query',
    reset: RESET_ITEMS,
    steps: [
      partStep(SIMPLE_WAITS, query(IN)),
      partStep(0, copyData('10\tten\n11\tel'), copyData('even\n')),
      readyStep(1, copyData('12\ttwelve\n'), copyDone()),
      step(COUNT),
      readyStep(1, query(IN), copyDone()),
      readyStep(1, query(IN), copyData('13\tx\n'), copyFail('I changed my mind')),
      readyStep(1, query(`SELECT 1; ${IN}; SELECT 2`), copyData('14\tx\n'), copyDone()),
      readyStep(
        1,
        query(`${IN}; ${IN}`),
        copyData('15\tx\n'),
        copyDone(),
        copyData('16\tx\n'),
        copyDone(),
      ),
      step(COUNT),
    ],
  },
  {
    name: 'COPY in by the extended protocol',
    reset: RESET_ITEMS,
    steps: [
      partStep(EXTENDED_WAITS, unnamed(IN), flush()),
      partStep(0, copyData('20\ttwenty\n')),
      readyStep(1, copyDone(), sync()),
      step(COUNT),
      readyStep(
        1,
        parse('in', IN),
        bind('', 'in'),
        describeMessage('P', ''),
        execute(),
        copyData('21\tx\n'),
        copyDone(),
        sync(),
      ),
      readyStep(
        1,
        bind('', 'in'),
        execute(),
        copyData('22\tx\n'),
        copyDone(),
        unnamed('SELECT 1'),
        sync(),
      ),
      readyStep(1, bind('', 'in'), execute(), copyFail('no'), sync()),
      readyStep(1, bind('', 'in'), execute(), copyFail('no'), unnamed('SELECT 1'), sync()),
      step(COUNT),
    ],
  },
  {
    name: 'Sync and Flush inside COPY in are ignored',
    reset: RESET_ITEMS,
    steps: [
      partStep(SIMPLE_WAITS, query(IN)),
      partStep(0, copyData('30\tx\n'), sync(), flush(), copyData('31\tx\n'), sync()),
      readyStep(1, copyDone()),
      step(COUNT),
      partStep(EXTENDED_WAITS, unnamed(IN), flush()),
      partStep(0, sync(), copyData('32\tx\n'), flush()),
      readyStep(1, copyDone(), sync()),
      readyStep(1, unnamed(IN), sync(), copyData('33\tx\n'), copyDone(), sync()),
      step(COUNT),
    ],
  },
  {
    name: 'messages that have no place inside COPY in fail it, and are forgotten',
    reset: RESET_ITEMS,
    steps: [
      step(parse('known', 'SELECT 40'), sync()),
      readyStep(1, query(IN), sync(), parse('x', 'SELECT 40')),
      step(sync(), bind('', 'x'), execute(), sync()),
      partStep(SIMPLE_WAITS, query(IN)),
      partStep(0, copyData('40\tx\n'), sync()),
      readyStep(1, parse('x', 'SELECT 41')),
      step(bind('', 'x'), execute(), sync()),
      readyStep(1, query(IN), query('SELECT 42')),
      readyStep(1, query(IN), flush(), bind('', 'known'), execute(), sync()),
      readyStep(1, query(IN), closeMessage('S', 'known')),
      readyStep(1, query(IN), describeMessage('S', 'known')),
      readyStep(1, query(IN), functionCall(1598, [])),
      readyStep(1, unnamed(IN), sync(), parse('y', 'SELECT 43'), sync()),
      readyStep(1, unnamed(IN), sync(), sync(), query('SELECT 44'), bind('', 'known'), sync()),
      readyStep(1, unnamed(IN), bind('', 'known'), execute(), sync()),
      partStep(EXTENDED_WAITS, unnamed(IN), flush()),
      partStep(0, sync(), copyData('45\tx\n')),
      readyStep(1, parse('y', 'SELECT 43'), execute(), sync()),
      step(query('BEGIN')),
      readyStep(2, query(IN), parse('y', 'SELECT 43'), query('ROLLBACK')),
      step(bind('', 'known'), execute(), sync()),
      step(COUNT),
    ],
  },
  {
    name: 'messages behind COPY in that has failed are not forgotten',
    reset: RESET_ITEMS,
    steps: [
      step(
        query('COPY nothing FROM STDIN'),
        parse('x', 'SELECT 46'),
        bind('', 'x'),
        execute(),
        sync(),
      ),
      readyStep(1, unnamed('COPY nothing FROM STDIN'), parse('y', 'SELECT 47'), sync()),
      readyStep(1, query(IN), copyData('nonsense\n')),
      step(parse('y', 'SELECT 47'), bind('', 'y'), execute(), sync()),
      readyStep(2, query(IN), copyData('nonsense\n'), query('SELECT 48')),
      step(COUNT),
    ],
  },
  {
    name: 'an error in COPY in before the client is done',
    reset: RESET_ITEMS,
    steps: [
      partStep(SIMPLE_WAITS, query(IN)),
      readyStep(1, copyData('not a number\tx\n')),
      step(copyData('40\tx\n'), copyDone(), query('SELECT 1')),
      readyStep(1, query(IN), copyData('1\tagain\n'), copyDone()),
      readyStep(2, query(IN), copyData('bad\n'), copyData('bad\n'), copyDone(), query('SELECT 2')),
      readyStep(1, unnamed(IN), copyData('bad\n'), copyData('bad\n'), copyDone(), sync()),
      step(COUNT),
    ],
  },
  {
    name: 'COPY messages outside of COPY are ignored',
    steps: [
      step(copyData('x'), copyDone(), copyFail('x'), query('SELECT 1')),
      step(unnamed('SELECT 1'), copyDone(), copyData('x'), sync(), copyFail('y')),
      step(query('BEGIN'), copyDone(), copyData('x'), query('COMMIT')),
    ],
  },
  {
    name: 'COPY in a transaction',
    reset: RESET_ITEMS,
    steps: [
      step(query('BEGIN')),
      readyStep(1, query(IN), copyData('50\tx\n'), copyDone()),
      readyStep(1, query(IN), copyFail('enough')),
      step(COUNT),
      step(query('ROLLBACK'), COUNT),
    ],
  },
  {
    name: 'another message in COPY in ends it with an error',
    reset: RESET_ITEMS,
    steps: [
      partStep(SIMPLE_WAITS, query(IN)),
      readyStep(1, copyData('60\tx\n'), query('SELECT 1')),
      step(COUNT),
      readyStep(1, unnamed(IN), copyData('61\tx\n'), parse('', 'SELECT 1'), sync()),
      step(COUNT),
    ],
  },
];
