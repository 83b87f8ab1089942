import fc from 'fast-check';
import { loadModule, scanSync } from 'libpg-query';
import { beforeAll, describe, expect, it } from 'vitest';
import { shapeOf } from '../../src/sql/shape/shape.ts';
import { textWithoutComments, visitParts } from '../../src/sql/shape/text-parts.ts';

beforeAll(() => loadModule());

type Parts = { whole: string; comments: string[]; parameters: number[] };

function partsOf(text: string): Parts | null {
  const bytes = Buffer.from(text);
  const parts: Parts = { whole: '', comments: [], parameters: [] };
  const take = (start: number, end: number): string => {
    const taken = bytes.toString('utf8', start, end);
    parts.whole += taken;
    return taken;
  };
  const isRead = visitParts(bytes, 0, bytes.length, {
    plain: take,
    comment: (start, end) => {
      parts.comments.push(take(start, end));
    },
    parameter: (start, end, number) => {
      take(start, end);
      parts.parameters.push(number);
    },
  });
  return isRead ? parts : null;
}

const shape = (text: string) => shapeOf(Buffer.from(text), 0, Buffer.byteLength(text));

const pieces =
  `SELECT|a|"q $1 --"|"d""/*"|e|n|U|ü|_a$1|$1|$12|,|(|)|;|.|::|+|-|*|/|<|=|--c $1\n|/* $3 */
|/* /* n */ ' */| |\n|'a'|'it''s $1'|'--'|E'\\''|e'a\\\\'|N'/*'|U&'$1'|B'01'|X'1f'|$$d $1 --$$|$t$ ' $t$|1|1.5|.5|1e3`
    .replaceAll('\n|', '|')
    .split('|');
pieces.push('--c $1\n', '\n');

describe('the parts of a text', () => {
  it('are the text, and tell comments and parameters as the scanner of PostgreSQL does', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (chosen) => {
        const text = chosen.join('');
        if (shape(text) === null) return;
        const parts = partsOf(text);
        expect(parts?.whole).toBe(text);
        const bare = Buffer.from(text);
        const without = textWithoutComments(bare, 0, bare.length)?.replaceAll('\u0001', '/**/');
        expect(shape(Buffer.from(without ?? '', 'latin1').toString())).toBe(shape(text));
        let tokens: ReturnType<typeof scanSync>['tokens'];
        try {
          tokens = scanSync(text).tokens;
        } catch {
          return;
        }
        const commentInString = tokens.some(
          ({ tokenName }, at) => tokenName === 'SQL_COMMENT' && tokens[at - 1]?.text.endsWith("'"),
        );
        if (commentInString) return;
        const of = (suffix: string): string[] =>
          tokens.filter(({ tokenName }) => tokenName.endsWith(suffix)).map((token) => token.text);
        expect(parts?.parameters.map((number) => `$${number}`)).toEqual(of('PARAM'));
        expect(parts?.comments).toEqual(of('COMMENT'));
      }),
      { numRuns: 5000 },
    );
  });
});
