import { describe, expect, it } from 'vitest';
import { saslprep } from '../../../src/auth/saslprep.ts';

describe('saslprep', () => {
  it('gives the results of the examples in RFC 4013, section 3', () => {
    expect(saslprep('I\u00adX')).toBe('IX');
    expect(saslprep('user')).toBe('user');
    expect(saslprep('USER')).toBe('USER');
    expect(saslprep('\u00aa')).toBe('a');
    expect(saslprep('\u2168')).toBe('IX');
  });

  it('leaves a password as it stands when the profile refuses it', () => {
    expect(saslprep('\u2168\u0007'), 'control character').toBe('\u2168\u0007');
    expect(saslprep('\u06271'), 'right-to-left text that ends otherwise').toBe('\u06271');
    expect(saslprep('\u0627b\u0627'), 'both directions').toBe('\u0627b\u0627');
    expect(saslprep('\u2168\u{1f600}'), 'unassigned in Unicode 3.2').toBe('\u2168\u{1f600}');
    expect(saslprep('\u00ad\u2060'), 'nothing left').toBe('\u00ad\u2060');
    expect(saslprep('\u2168\ue000'), 'private use').toBe('\u2168\ue000');
  });

  it('takes right-to-left text that begins and ends so', () => {
    expect(saslprep('\u06271\ufe8d')).toBe('\u06271\u0627');
  });

  it('maps other spaces to the ASCII one', () => {
    expect(saslprep('a\u00a0\u3000b')).toBe('a  b');
  });

  it('does not touch ASCII, not even control characters', () => {
    expect(saslprep('a\u0001\u007f ~')).toBe('a\u0001\u007f ~');
  });
});
