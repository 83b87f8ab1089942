/** What a failed transaction refuses, and in which order. `exec_parse_message` in postgres.c. */
import { type Script, step } from '../../support/transcript.ts';
import { bind, closeMessage, execute, parse, query, sync } from '../../support/wire-messages.ts';

/** The link has the text from now on, and the client has no name for it. */
const KNOWN = step(parse('p', 'SELECT 41'), sync(), closeMessage('S', 'p'), sync());
const FAIL = [query('BEGIN'), query('SELECT 1/0')];

export const FAILED_TRANSACTION_SCRIPTS: readonly Script[] = [
  {
    name: 'Parse in a transaction that has failed',
    steps: [
      KNOWN,
      step(...FAIL),
      step(parse('p', 'SELECT 41'), sync()),
      step(bind('', 'p'), execute(), sync()),
      step(parse('', 'SELECT 41'), sync()),
      step(
        parse('e', ''),
        sync(),
        parse('s', 'SELEC'),
        sync(),
        parse('m', 'SELECT 1; SELECT 2'),
        sync(),
      ),
      step(
        parse('e', 'SELECT 1'),
        sync(),
        parse('e', 'SELEC'),
        sync(),
        parse('e', 'ROLLBACK'),
        sync(),
      ),
      step(parse('c', 'COMMIT'), sync()),
      step(bind('', 'c'), execute(), sync()),
      step(parse('p', 'SELECT 41'), bind('', 'p'), execute(), sync()),
    ],
  },
  {
    name: 'Parse in one write with what fails its transaction',
    steps: [
      KNOWN,
      step(...FAIL, parse('p', 'SELECT 41'), sync(), query('ROLLBACK')),
      step(bind('', 'p'), execute(), sync()),
      step(
        ...FAIL,
        parse('r', 'ROLLBACK'),
        bind('', 'r'),
        execute(),
        parse('p', 'SELECT 41'),
        sync(),
      ),
      step(bind('', 'p'), execute(), sync()),
    ],
  },
];
