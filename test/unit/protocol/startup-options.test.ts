import { describe, expect, it } from 'vitest';
import { parseOptions } from '../../../src/protocol/startup-options.ts';

/** The settings, and behind `!` what is wrong; what PostgreSQL 18 says to the same is in the pg tier. */
function read(text: string): string {
  const { settings, problem } = parseOptions(text);
  const spelled = settings.map(({ name, value }) => `${name}=${value}`).join(' ');
  return problem === null ? spelled : `${spelled}!${problem.code} ${problem.clientText}`;
}

const UNKNOWN = '!MR_SWITCH_UNKNOWN invalid command-line argument for server process: ';

describe('the options of a startup packet', () => {
  it('hold settings in three forms, in order', () => {
    expect(read('-c a=1 -cb=2 --c-d=3 -c e-f=4')).toBe('a=1 b=2 c_d=3 e_f=4');
    expect(read('-c app.tenant=x=y')).toBe('app.tenant=x=y');
    expect(read('-c search_path= -c =x')).toBe('search_path= =x');
    expect(read('-c geqo=off -c geqo=on')).toBe('geqo=off geqo=on');
    for (const text of ['', ' \t\n ']) expect(read(text)).toBe('');
  });

  it('take the character after a backslash literally', () => {
    expect(read('-c search_path=a,\\ b\\\\c')).toBe('search_path=a, b\\c');
    expect(read('-c\\ a=b')).toBe(' a=b');
    expect(read('-c a=b\\')).toBe('a=b');
    expect(read('\\')).toBe(UNKNOWN);
  });

  it('know the other switches of a server process', () => {
    expect(read('-e -fs -fmerge -S 512 -tpa -t e -P')).toBe(
      'datestyle=euro enable_seqscan=false enable_mergejoin=false work_mem=512 ' +
        'log_parser_stats=true log_executor_stats=true ignore_system_indexes=true',
    );
    expect(read('-sOc geqo=off')).toBe(
      'log_statement_stats=true allow_system_table_mods=true geqo=off',
    );
    expect(read('-d5')).toBe(
      'log_min_messages=debug5 log_statement=all debug_print_parse=true debug_print_plan=true ' +
        'debug_print_rewritten=true',
    );
    for (const level of ['0', '-1', 'x'])
      expect(read(`-d ${level}`)).toBe('log_min_messages=notice');
    expect(read('-bEjnT -C x -Dy -r f -v3')).toBe('');
  });

  it('end at --, behind which nothing may stand', () => {
    expect(read('-c geqo=off --')).toBe('geqo=off');
    expect(read('-- -c geqo=off')).toBe(`${UNKNOWN}-c`);
  });

  it('name the word that is wrong as getopt does', () => {
    const table: readonly [string, string][] = [
      ['-x', '-x'],
      ['-Z y', '-Z'],
      ['-c', '-c'],
      ['-', '-'],
      ['a=b', 'a=b'],
      ['-f z', 'z'],
      ['-fz', '-fz'],
      ['-t zz', 'zz'],
      ['-xy', 'postgres'],
      ['stray -xy', 'stray'],
    ];
    for (const [text, word] of table) expect(read(text), text).toBe(UNKNOWN + word);
    expect(read('stray -c geqo=off')).toBe(`geqo=off${UNKNOWN}stray`);
    expect(read('-c geqo=off -xy')).toBe(`geqo=off${UNKNOWN}geqo=off`);
  });

  it('tell a switch without its value', () => {
    const said = (text: string): string => read(text).replace(/^.*!MR_SWITCH_INVALID /, '');
    expect(said('-c a')).toBe('-c a requires a value');
    expect(said('-c geqo = off')).toBe('-c geqo requires a value');
    expect(said('--geqo')).toBe('--geqo requires a value');
    expect(said('--single')).toBe('--single must be first argument');
  });
});
