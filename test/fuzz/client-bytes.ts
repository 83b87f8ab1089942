/**
 * What the fuzzer sends as a client: scripts of steps that follow the protocol's grammar and break it
 * in one place or another. A step is data, so that a script can be shown and made shorter.
 */
import type { Dice } from '../support/dice.ts';
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
  message,
  parse,
  query,
  sync,
  terminate,
} from '../support/wire-messages.ts';

export type Step = {
  readonly told: string;
  readonly bytes: Buffer;
};

/** The whole of one client's life behind its login. */
export type Script = {
  readonly steps: readonly Step[];
  /** Where the stream is cut into writes. */
  readonly pieces: readonly number[];
  /** How it ends. */
  readonly end: 'fin' | 'rst' | 'terminate' | 'half';
  /** The client sends a cancel request somewhere on the way. */
  readonly cancels: boolean;
};

const TEXTS = [
  'SELECT 1',
  'SELECT $1::text',
  'SELECT $1::int + $2::int',
  'SELECT 1/0',
  'SELEC',
  '',
  ';;',
  'SELECT 1; SELECT 2',
  'SELECT generate_series(1, 3000)',
  'SELECT pg_sleep(0.01)',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  'COPY fuzz FROM STDIN',
  'COPY fuzz TO STDOUT',
  "INSERT INTO fuzz VALUES ('f') RETURNING *",
  'DELETE FROM fuzz',
  "SET TimeZone = 'Asia/Kathmandu'",
  'SET LOCAL search_path = nowhere',
  'SET search_path = nowhere',
  "SET client_encoding = 'SJIS'",
  'SET standard_conforming_strings = off',
  "SELECT set_config('app.tenant', 'stranger', false)",
  'SET ROLE pg_monitor',
  'RESET ALL',
  'DISCARD ALL',
  'DEALLOCATE ALL',
  'DEALLOCATE a',
  'PREPARE a AS SELECT 7',
  'EXECUTE a',
  'LISTEN fuzz',
  'NOTIFY fuzz',
  'CREATE TEMP TABLE witness (mark text)',
  'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  'SELECT pg_advisory_lock(1)',
  'SELECT pg_advisory_unlock_all()',
  'SHOW millrace.pins',
  "DO $$ BEGIN RAISE WARNING 'careful'; END $$",
  "SELECT 'unfinished",
  'SELECT /* unfinished',
  "SELECT E'\\",
  'SELECT pg_terminate_backend(pg_backend_pid())',
];
const NAMES = ['', 'a', 'b', 'millrace_s1', 'millrace_gone', 'x'.repeat(300)];
const TYPES = 'BCDEFHPQSXcdfpZR1!\0\xff';

/** A message as it should be. */
function whole(dice: Dice): Step {
  const [name, text] = [dice.pick(NAMES), dice.pick(TEXTS)];
  const make: readonly (() => [string, Buffer])[] = [
    () => [`Query ${text}`, query(text)],
    () => [`Query ${text}`, query(text)],
    () => [`Parse ${name}: ${text}`, parse(name, text)],
    () => [`Parse ${name}: ${text}`, parse(name, text)],
    () => [`Bind ${name}`, bind('', name, dice.oneIn(2) ? ['1'] : [])],
    () => [`Bind ${name}`, bind('', name)],
    () => [`Bind portal p of ${name}`, bind('p', name, ['1', null])],
    () => ['Execute', execute('', dice.below(3))],
    () => ['Execute p', execute('p', dice.below(3))],
    () => [`Describe ${name}`, describeMessage(dice.oneIn(2) ? 'S' : 'P', name)],
    () => [`Close ${name}`, closeMessage(dice.oneIn(2) ? 'S' : 'P', name)],
    () => ['Sync', sync()],
    () => ['Sync', sync()],
    () => ['Sync', sync()],
    () => ['Flush', flush()],
    () => ['CopyData', copyData('fuzz\n')],
    () => ['CopyDone', copyDone()],
    () => ['CopyFail', copyFail('no')],
    () => ['FunctionCall', functionCall(dice.pick([0, 717, 1598, 4_294_967_295]), ['1'])],
  ];
  const [told, bytes] = dice.pick(make)();
  return { told, bytes };
}

/** Lengths that are wrong, or nearly right. */
function lengthOf(dice: Dice, real: number): number {
  return dice.pick([0, 1, 2, 3, 4, 5, real - 1, real + 1, 0x7fffffff, 0x80000000, 0xffffffff, 1e6]);
}

/** A message with one thing wrong. */
function broken(dice: Dice): Step {
  const { told, bytes } = whole(dice);
  switch (dice.below(7)) {
    case 0: {
      const length = lengthOf(dice, bytes.length - 1);
      const lying = Buffer.from(bytes);
      lying.writeUInt32BE(length, 1);
      return { told: `${told} of length ${length}`, bytes: lying };
    }
    case 1: {
      const at = 5 + dice.below(Math.max(1, bytes.length - 5));
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at] = dice.below(256);
      return { told: `${told} with byte ${at} changed`, bytes: flipped };
    }
    case 2: {
      const body = bytes.subarray(5, Math.max(5, bytes.length - 1 - dice.below(4)));
      const code = String.fromCharCode(bytes[0] as number);
      return { told: `${told} that ends early`, bytes: message(code, body) };
    }
    case 3: {
      const code = TYPES[dice.below(TYPES.length)] as string;
      return {
        told: `${told} as ${JSON.stringify(code)}`,
        bytes: message(code, bytes.subarray(5)),
      };
    }
    case 4: {
      const code = String.fromCharCode(bytes[0] as number);
      const body = Buffer.concat([bytes.subarray(5), Buffer.alloc(1 + dice.below(9))]);
      return { told: `${told} with more behind it`, bytes: message(code, body) };
    }
    case 5: {
      const count = dice.pick([-1, 3, 0x7fff, -0x8000]);
      const bytesOfCounts = Buffer.from([0, 0, 0, 0, (count >> 8) & 255, count & 255, 0, 0]);
      return { told: `Bind with ${count} parameters`, bytes: message('B', bytesOfCounts) };
    }
    default: {
      const noise = Buffer.from(Array.from({ length: 1 + dice.below(60) }, () => dice.below(256)));
      return { told: `noise ${noise.toString('hex')}`, bytes: noise };
    }
  }
}

export function scriptOf(dice: Dice): Script {
  const breaks = dice.below(3);
  const steps: Step[] = [];
  for (let left = 1 + dice.below(14); left > 0; left--) {
    const isBroken = breaks > 0 && dice.oneIn(breaks === 1 ? 12 : 4);
    steps.push(isBroken ? broken(dice) : whole(dice));
  }
  if (dice.oneIn(3)) steps.push({ told: 'Sync', bytes: sync() });
  if (dice.oneIn(12)) {
    const at = dice.below(steps.length);
    steps.splice(at, 0, { told: 'Terminate', bytes: terminate() });
  }
  const pieces = dice.oneIn(2) ? [] : Array.from({ length: 3 }, () => 1 + dice.below(40));
  const end = dice.pick(['fin', 'rst', 'terminate', 'half'] as const);
  return { steps, pieces, end, cancels: dice.oneIn(6) };
}

const PROTOCOLS = [196_608, 196_610, 196_607, 131_072, 0, 80_877_103, 80_877_104, 80_877_102];

/** What may stand where a login begins. */
export function startupBytes(dice: Dice, user: string, database: string): Step {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(dice.pick(PROTOCOLS));
  const pairs = [
    `user\0${user}\0`,
    `database\0${database}\0`,
    'options\0-c x.y=1\0',
    '\0',
    'user\0',
  ];
  const text = Array.from({ length: dice.below(5) }, () => dice.pick(pairs)).join('');
  const all = Buffer.concat([body, Buffer.from(text), Buffer.alloc(dice.below(2))]);
  const head = Buffer.alloc(4);
  const length = dice.oneIn(3) ? lengthOf(dice, all.length + 4) : all.length + 4;
  head.writeUInt32BE(length >>> 0);
  const tail = dice.oneIn(3) ? broken(dice).bytes : Buffer.alloc(0);
  const bytes = Buffer.concat([head, all, tail]);
  return { told: `startup ${bytes.toString('hex')}`, bytes };
}
