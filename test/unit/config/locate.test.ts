import { describe, expect, it } from 'vitest';
import { lineLocator } from '../../../src/config/locate.ts';

const text = `top = 1 # one
[[a]]
x = 1
[a.b]
"quoted key" = 2
text = """
[c]
x = 5
"""
y.z = 3
[[a]]
[[a.list]]
k = 1
[[ a . list ]]
k = 1
inline = { deep = 1 }
`;

describe('the line of a key', () => {
  it.each([
    [['top'], 1],
    [['a', 0], 2],
    [['a', 0, 'x'], 3],
    [['a', 0, 'b', 'quoted key'], 5],
    [['a', 0, 'b', 'y', 'z'], 10],
    [['a', 1], 11],
    [['a', 1, 'list', 0, 'k'], 13],
    [['a', 1, 'list', 1, 'k'], 15],
    [['a', 1, 'list', 1, 'inline', 'deep'], 16],
    [['a', 1, 'missing'], 11],
    [['a'], 2],
    [['c', 'x'], null],
  ])('%j is %s', (path, line) => {
    expect(lineLocator(text)(path)).toBe(line);
  });
});
