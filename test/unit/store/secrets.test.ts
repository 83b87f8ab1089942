import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Random } from '../../../src/base/time.ts';
import { decodeEnvelope } from '../../../src/store/envelope-format.ts';
import { openKeyFile, parseMasterKeys } from '../../../src/store/master-keys.ts';
import { SecretBox } from '../../../src/store/secrets.ts';

const random: Random = { bytes: (count) => randomBytes(count) };
const KEY = randomBytes(32);
const OLD = randomBytes(32);
const box = new SecretBox([KEY], random);
const keyError = expect.objectContaining({ code: 'MR_STORE_KEY' });

describe('a sealed secret', () => {
  it('opens to what was sealed, whatever that is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, context) => {
        const whole = Buffer.from(text).toString();
        expect(box.open(box.seal(whole, context), context)).toBe(whole);
      }),
    );
  });

  it('never looks the same twice and does not hold its text', () => {
    const [first, second] = [box.seal('open sesame', 'a'), box.seal('open sesame', 'a')];
    expect(first.equals(second)).toBe(false);
    expect(first.includes('sesame')).toBe(false);
  });

  it('opens only where it belongs', () => {
    expect(() => box.open(box.seal('x', 'row 1'), 'row 2')).toThrow(keyError);
  });

  it('does not open when any byte of it was changed', () => {
    const sealed = box.seal('secret', 'a');
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => box.open(changed, 'a')).toThrow(keyError);
    }
  });

  it('does not open with another key, nor when it is cut short', () => {
    const other = new SecretBox([OLD], random);
    expect(() => other.open(box.seal('x', 'a'), 'a')).toThrow(keyError);
    expect(decodeEnvelope(box.seal('', 'a').subarray(0, -1))).toBeNull();
  });

  it('is moved to a new key without touching the text', () => {
    const sealed = new SecretBox([OLD], random).seal('secret', 'a');
    const both = new SecretBox([KEY, OLD], random);
    expect(both.isCurrent(sealed)).toBe(false);
    const resealed = both.reseal(sealed, 'a');
    expect(both.isCurrent(resealed)).toBe(true);
    expect(box.open(resealed, 'a')).toBe('secret');
    expect(decodeEnvelope(resealed)?.sealedText).toEqual(decodeEnvelope(sealed)?.sealedText);
  });
});

describe('master keys', () => {
  it('are read in base64 and hexadecimal, the current one first', () => {
    const text = `# new\n${KEY.toString('base64')}\n\n${OLD.toString('hex')}\n`;
    expect(parseMasterKeys(text)).toEqual([KEY, OLD]);
    expect(parseMasterKeys(KEY.toString('base64url'))).toEqual([KEY]);
  });

  it.each(['', 'short', '# only a comment', `${KEY.toString('hex')}\nnonsense`])(
    'are refused when the text is wrong',
    (text) => {
      expect(() => parseMasterKeys(text)).toThrow(keyError);
    },
  );

  it('are made once in a file that only the owner can read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'millrace-key-'));
    try {
      const path = join(dir, 'store.key');
      const made = await openKeyFile(path, random);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(made.isFresh).toBe(true);
      expect(await openKeyFile(path, random)).toEqual({ keys: made.keys, isFresh: false });
      const open = join(dir, 'open.key');
      await writeFile(open, KEY.toString('base64'), { mode: 0o644 });
      await expect(openKeyFile(open, random)).rejects.toThrow(keyError);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
