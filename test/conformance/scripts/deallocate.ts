/** What takes prepared statements away, and when. PostgreSQL manual, "DEALLOCATE", "DISCARD". */
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

const use = (name: string): Buffer[] => [bind('', name), execute(), sync()];
const make = (name: string, sql: string): Buffer[] => [parse(name, sql), sync()];
const MAKE = step(make('p', 'SELECT 1'), make('q', 'SELECT 2'));
const USE = step(use('p'), use('q'));

export const DEALLOCATE_SCRIPTS: readonly Script[] = [
  {
    name: 'DEALLOCATE of statements of the protocol',
    steps: [
      step(parse('p', 'SELECT 10'), sync(), query('DEALLOCATE p')),
      step(bind('', 'p'), execute(), sync()),
      step(parse('p', 'SELECT 11'), bind('', 'p'), execute(), sync()),
      step(query('DEALLOCATE ALL')),
      step(bind('', 'p'), execute(), sync()),
      step(parse('p', 'SELECT 12'), sync(), unnamed('DEALLOCATE p'), sync()),
      step(bind('', 'p'), execute(), sync()),
      step(parse('p', 'SELECT $1::int'), sync(), query('DISCARD ALL')),
      step(bind('', 'p', ['1']), execute(), sync()),
    ],
  },
  {
    name: 'DEALLOCATE in one write with what it takes away',
    steps: [
      step(parse('p', 'SELECT 1'), sync(), query('DEALLOCATE p'), bind('', 'p'), execute(), sync()),
      step(parse('p', 'SELECT 2'), sync(), query('DEALLOCATE ALL'), bind('', 'p'), sync()),
      step(parse('p', 'SELECT 3'), unnamed('DEALLOCATE p'), bind('', 'p'), execute(), sync()),
    ],
  },
  {
    name: 'DEALLOCATE in one unit behind what may leave something in the session',
    isPinned: true,
    steps: [
      MAKE,
      step(
        unnamed('CREATE TEMP TABLE d (n int)'),
        unnamed('DEALLOCATE p'),
        unnamed('SELECT set_config($$search_path$$, $$public$$, false)'),
        unnamed('DEALLOCATE ALL'),
        parse('q', 'SELECT 3'),
        bind('', 'q'),
        execute(),
        sync(),
      ),
      USE,
      step(query('DISCARD TEMP')),
    ],
  },
  {
    name: 'DEALLOCATE of itself, and of names that do not exist, in one write with what pins',
    isPinned: true,
    steps: [
      step(query('CREATE TEMP TABLE d (n int)'), parse('b', 'DEALLOCATE b'), use('b'), use('b')),
      step(parse('c', 'DEALLOCATE c'), use('c'), use('c')),
      step(parse('d', 'DEALLOCATE e'), parse('e', 'SELECT 6'), use('d'), use('e'), use('d')),
      step(query('DEALLOCATE ALL')),
      step(unnamed('DEALLOCATE none'), unnamed('DEALLOCATE neither'), sync()),
      step(parse('p', 'SELECT 1'), sync(), query('LISTEN d'), parse('d', 'DEALLOCATE p'), sync()),
      step(use('d'), use('p'), use('d')),
      step(query('PREPARE s AS SELECT 5'), unnamed('DEALLOCATE s'), sync(), query('EXECUTE s')),
      step(query('UNLISTEN *; DISCARD TEMP')),
    ],
  },
  {
    name: 'DEALLOCATE in a transaction that has failed does nothing',
    steps: [
      MAKE,
      step(query('BEGIN'), query('SELECT 1/0'), query('DEALLOCATE p'), query('DEALLOCATE ALL')),
      step(unnamed('DEALLOCATE p'), sync(), query('ROLLBACK')),
      USE,
      step(query('BEGIN'), query('DEALLOCATE p'), query('ROLLBACK')),
      USE,
    ],
  },
  {
    name: 'DEALLOCATE that is prepared counts when it is executed',
    steps: [
      MAKE,
      step(parse('', 'DEALLOCATE p'), sync(), parse('all', 'DEALLOCATE ALL'), sync()),
      USE,
      step(parse('one', 'DEALLOCATE p'), bind('', 'one'), sync()),
      USE,
      step(bind('later', 'one'), bind('', 'q'), execute(), execute('later'), sync()),
      USE,
      step(use('one')),
      step(make('early', 'DEALLOCATE x'), make('x', 'SELECT 5'), use('early'), use('x')),
      step(make('p', 'SELECT 3'), use('p'), bind('', 'all'), execute(), use('p')),
      USE,
    ],
  },
  {
    name: 'DISCARD ALL under a name, and in a unit with others',
    steps: [
      MAKE,
      step(make('d', 'DISCARD ALL'), use('d')),
      USE,
      MAKE,
      step(unnamed('DISCARD ALL'), sync(), use('q')),
      MAKE,
      step(
        parse('a', 'DEALLOCATE ALL'),
        bind('', 'a'),
        execute(),
        bind('', 'p'),
        execute(),
        sync(),
      ),
      USE,
    ],
  },
  {
    name: 'DEALLOCATE of what does not exist, or has a strange name',
    steps: [
      step(query('DEALLOCATE nothing'), unnamed('DEALLOCATE nothing'), sync()),
      step(query('EXECUTE millrace_s1'), query('DEALLOCATE millrace_gone')),
      step(make('Größe "x"', 'SELECT 7'), query('DEALLOCATE "Größe ""x"""'), use('Größe "x"')),
      step(make('millrace_s1', 'SELECT 8'), query('DEALLOCATE millrace_s2'), use('millrace_s1')),
    ],
  },
  {
    name: 'what is skipped behind an error leaves names as they are, also for units sent ahead',
    steps: [
      MAKE,
      step(unnamed('SELECT 1/0'), closeMessage('S', 'p'), sync(), use('p')),
      step(unnamed('SELECT 1/0'), parse('r', 'SELECT 3'), sync(), use('r'), make('r', 'SELECT 4')),
      step(use('r'), unnamed('SELECT 1/0'), parse('', 'SELECT 5'), sync(), use(''), use('')),
      step(make('', 'SELECT 6'), use(''), describeMessage('S', 'none'), use(''), use('')),
      step(query('SELECT 1'), use(''), make('', 'SELECT 7'), query('SELECT 2'), use('')),
    ],
  },
];
