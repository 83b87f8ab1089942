/**
 * Messages whose contents nobody can read, and names of any length. PostgreSQL answers with an error
 * and goes on; behind one of the extended protocol it skips to the Sync.
 */
import { readyStep, type Script, step } from '../../support/transcript.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  message,
  parse,
  query,
  sync,
  unnamed,
} from '../../support/wire-messages.ts';

const bytes = (code: string, body: string): Buffer => message(code, Buffer.from(body, 'latin1'));
const STILL_THERE = query('SELECT 1');
const LONG = 'n'.repeat(9_000);
const LONGER = 'm'.repeat(20_000);

export const MALFORMED_SCRIPTS: readonly Script[] = [
  {
    name: 'a malformed Query',
    steps: [
      step(bytes('Q', 'SELECT 1'), STILL_THERE),
      step(bytes('Q', ''), STILL_THERE),
      step(bytes('Q', 'SELECT 1\0SELECT 2\0'), STILL_THERE),
    ],
  },
  {
    name: 'a malformed Parse',
    steps: [
      step(bytes('P', ''), sync(), STILL_THERE),
      step(bytes('P', 'name'), unnamed('SELECT 2'), sync(), STILL_THERE),
      step(bytes('P', 'name\0SELECT 1'), sync(), STILL_THERE),
      step(bytes('P', 'name\0SELECT 1\0'), sync(), bind('', 'name'), sync()),
      step(bytes('P', 'name\0SELECT 1\0\0\x02\0\0'), sync(), bind('', 'name'), sync()),
      step(bytes('P', 'name\0SELECT 1\0\0\0rest'), sync(), bind('', 'name'), sync()),
    ],
  },
  {
    name: 'a malformed Bind, Describe, Execute, Close',
    steps: [
      step(parse('s', 'SELECT 1'), bytes('B', ''), execute(), sync(), STILL_THERE),
      step(bytes('B', 'portal'), sync(), bytes('B', 'portal\0s'), sync(), STILL_THERE),
      step(bytes('B', '\0s\0'), sync(), bytes('B', '\0s\0\0\0\0\x01'), sync(), STILL_THERE),
      step(bytes('D', ''), sync(), bytes('D', 'Xs\0'), sync(), bytes('D', 'Ss'), sync()),
      step(bytes('C', ''), sync(), bytes('C', 'Xs\0'), sync(), bytes('C', 'Ss'), sync()),
      step(bytes('E', ''), sync(), bytes('E', '\0\0'), sync(), STILL_THERE),
    ],
  },
  {
    name: 'a Sync with a body, and a FunctionCall without a number',
    steps: [
      readyStep(2, bytes('S', 'x'), STILL_THERE),
      readyStep(2, unnamed('SELECT 1'), bytes('S', 'x'), STILL_THERE),
      readyStep(2, bytes('F', ''), STILL_THERE),
    ],
  },
  {
    name: 'names of any length',
    steps: [
      step(parse(LONG, 'SELECT $1::text'), describeMessage('S', LONG), sync()),
      step(bind('', LONG, ['a']), execute(), bind(LONG, LONG, ['b']), execute(LONG), sync()),
      step(
        bind(LONG, LONG, ['c'.repeat(20_000)]),
        describeMessage('P', LONG),
        execute(LONG),
        sync(),
      ),
      step(closeMessage('P', LONG), closeMessage('S', LONG), bind('', LONG, ['a']), sync()),
      step(parse(LONGER, 'SELECT 2'), bind('', LONGER), execute(), sync()),
      step(bind('', LONGER), execute(), sync(), parse(LONGER, 'SELECT 3'), sync()),
    ],
  },
];
