import { describe, expect, it } from 'vitest';
import { readText } from '../../../../src/session/reads/read-text.ts';

const read = (text: string) => {
  const bytes = Buffer.from(text);
  return readText(bytes, 0, bytes.length);
};

describe('a text', () => {
  it('is the same whatever its comments say', () => {
    const texts = ['/* a */ SELECT 1', '/* b */ SELECT 1', '-- c\nSELECT 1', 'SELECT 1 -- d'];
    const found = new Set(texts.map((text) => read(text)?.text));
    expect([...found]).toEqual(['SELECT 1']);
  });

  it('is another one when only a literal looks like a comment', () => {
    expect(read("SELECT '/* a */'")?.text).not.toBe(read("SELECT '/* b */'")?.text);
    expect(read("SELECT '-- millrace: no-cache'")?.hints.isOff).toBe(false);
  });

  it.each([
    ['/* millrace: no-cache */ SELECT 1', { isOff: true, maxAgeS: null }],
    ['SELECT 1 -- millrace: max_age=5', { isOff: false, maxAgeS: 5 }],
    ['/*millrace:max_age=99999*/ SELECT 1', { isOff: false, maxAgeS: 3600 }],
    ['/* millrace: max_age=-1, sudo */ SELECT 1', { isOff: false, maxAgeS: null }],
    ['/* no-cache */ SELECT 1', { isOff: false, maxAgeS: null }],
  ])('has hints in its comments: %s', (text, hints) => {
    expect(read(text)?.hints).toEqual(hints);
  });
});
