/** What clients of the simulation send: bursts of units, in the words that the model knows. */
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
  parse,
  query,
  sync,
} from '../support/wire-messages.ts';

/** Bytes that end with a ReadyForQuery, and what a reader of a failure is told of them. */
export type Burst = {
  readonly bytes: Buffer;
  readonly told: string;
  /** A single statement that sleeps, and that the client cancels while it waits. */
  readonly isCancelled: boolean;
};

export type Author = {
  /** Begins all that the client stores, so that it can be told from others'. */
  readonly prefix: string;
  /** Whether it came with a time zone of its own, so that it may change it. */
  readonly hasZone: boolean;
  /** The next mark, unique in the world. */
  mark(): string;
};

const NAMES = ['', 'a', 'b', 'c'];

/** Weights are by repetition. */
function textOf(dice: Dice, author: Author): string {
  const { prefix, hasZone } = author;
  const zone = hasZone ? `${prefix}/${dice.below(3)}` : '';
  const plain = [
    `SELECT '${author.mark()}'`,
    'SELECT $1::text',
    'SELECT $1::text',
    `SELECT m FROM t WHERE m LIKE '${prefix}.%'`,
    `INSERT INTO t VALUES ('${author.mark()}')`,
    'SHOW TimeZone',
    'SHOW work_mem',
    "SELECT coalesce(current_setting('app.tenant', true), '')",
    'SELECT zone_at_parse()',
    'BEGIN',
    'COMMIT',
    'ROLLBACK',
    'SELECT 1/0',
  ];
  const seldom = [
    'SELEC',
    '',
    'SELECT generate_series(1, 200)',
    "SELECT repeat('r', 70000)",
    `COPY (SELECT m FROM t WHERE m LIKE '${prefix}.%') TO STDOUT`,
    `SET app.tenant = '${prefix}.${dice.below(3)}'`,
    `SET LOCAL app.tenant = '${prefix}.local'`,
    `SET work_mem = '${1 + dice.below(3)}MB'`,
    "SET work_mem = 'refused'",
    "SELECT set_config('work_mem', $1, false)",
    'LISTEN news',
    'UNLISTEN *',
    'SELECT pg_listening_channels()',
    'CREATE TEMP TABLE x (n int)',
    'DEALLOCATE a',
    'DEALLOCATE b',
    'DEALLOCATE ALL',
    'DROP TABLE x',
    ...(hasZone ? [`SET TimeZone = '${zone}'`, `SET LOCAL TimeZone = '${zone}'`] : []),
    ...(hasZone ? [`BEGIN; SET TimeZone = '${zone}'; SELECT zone_at_parse(); COMMIT`] : []),
    `BEGIN; INSERT INTO t VALUES ('${author.mark()}')`,
    `INSERT INTO t VALUES ('${author.mark()}'); SELECT 1/0`,
  ];
  return dice.below(5) < 3 ? dice.pick(plain) : dice.pick(seldom);
}

type Piece = { readonly bytes: Buffer; readonly told: string };

/** Messages of the extended protocol, without a Sync. */
function extended(dice: Dice, author: Author): Piece {
  const name = dice.pick(NAMES);
  const portal = dice.oneIn(8) ? 'p' : '';
  const values = dice.oneIn(2) ? [author.mark()] : [];
  const kind = dice.below(100);
  if (kind < 45) {
    const text = textOf(dice, author).split(';').at(-1)?.trim() ?? '';
    const used = text.includes('$1') ? [author.mark()] : [];
    const messages = [parse(name, text), bind(portal, name, used), execute(portal)];
    return { bytes: Buffer.concat(messages), told: `Parse, Bind, Execute ${name}: ${text}` };
  }
  if (kind < 60) {
    const messages = [bind(portal, name, values), execute(portal)];
    return { bytes: Buffer.concat(messages), told: `Bind ${name}(${values}), Execute` };
  }
  if (kind < 70) {
    const text = textOf(dice, author);
    return { bytes: parse(name, text), told: `Parse ${name}: ${text}` };
  }
  if (kind < 76) return { bytes: describeMessage('S', name), told: `Describe ${name}` };
  if (kind < 84) return { bytes: closeMessage('S', name), told: `Close ${name}` };
  if (kind < 87) return { bytes: flush(), told: 'Flush' };
  if (kind < 91) return { bytes: execute(portal, 1 + dice.below(3)), told: 'Execute some' };
  if (kind < 94) return { bytes: describeMessage('P', portal), told: 'Describe portal' };
  const data = [copyData(`${author.mark()}\n`), dice.oneIn(4) ? copyFail('no') : copyDone()];
  // Under a name of its own: run again by chance, it would wait for data that never comes.
  const start = [closeMessage('S', 'copy'), parse('copy', 'COPY t FROM STDIN'), bind('', 'copy')];
  return { bytes: Buffer.concat([...start, execute(), ...data]), told: 'COPY by Execute' };
}

function simple(dice: Dice, author: Author): Piece {
  if (!dice.oneIn(10)) {
    const text = textOf(dice, author).replace('$1', `'${author.mark()}'`).replace('::text', '');
    return { bytes: query(text), told: `Query ${text}` };
  }
  const data = [copyData(`${author.mark()}\n${author.mark()}\n`)];
  const end = dice.oneIn(4) ? copyFail('no') : copyDone();
  return {
    bytes: Buffer.concat([query('COPY t FROM STDIN'), ...data, end]),
    told: 'COPY by Query',
  };
}

/** Ends outside of any transaction now and then, so that others get the link as well. */
export function burstOf(dice: Dice, author: Author): Burst {
  if (dice.oneIn(6)) return sleeping(dice);
  const pieces: Piece[] = [];
  for (let units = 1 + dice.below(3); units > 0; units--) {
    if (dice.oneIn(12)) pieces.push(reset(dice));
    else if (dice.oneIn(2)) pieces.push(simple(dice, author));
    else {
      for (let n = 1 + dice.below(4); n > 0; n--) pieces.push(extended(dice, author));
      pieces.push({ bytes: sync(), told: 'Sync' });
    }
  }
  if (dice.oneIn(2)) pieces.push({ bytes: query('ROLLBACK'), told: 'Query ROLLBACK' });
  return {
    bytes: Buffer.concat(pieces.map(({ bytes }) => bytes)),
    told: pieces.map(({ told }) => told).join(' | '),
    isCancelled: false,
  };
}

/** What takes settings back counts from the end of its unit on. */
function reset(dice: Dice): Piece {
  const text = dice.pick(['RESET TimeZone', 'RESET app.tenant', 'RESET ALL', 'DISCARD ALL']);
  if (dice.oneIn(2) || text === 'DISCARD ALL') return { bytes: query(text), told: `Query ${text}` };
  // Run again by chance, within a unit of others, it would count only behind that.
  const messages = [parse('', text), bind('', ''), execute(), closeMessage('S', ''), sync()];
  return { bytes: Buffer.concat(messages), told: `Parse, Bind, Execute, Close, Sync: ${text}` };
}

function sleeping(dice: Dice): Burst {
  const text = `SELECT pg_sleep(0.0${1 + dice.below(9)})`;
  const bytes = dice.oneIn(2)
    ? query(text)
    : Buffer.concat([parse('', text), bind('', ''), execute(), sync()]);
  return { bytes, told: text, isCancelled: dice.below(4) > 0 };
}
