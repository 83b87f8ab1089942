import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageReader } from '../../../../bench/clients/message-reader.ts';
import { message } from '../../../support/wire-messages.ts';

const messages = [
  message('R', Buffer.from([0, 0, 0, 0])),
  message('S', Buffer.from('TimeZone\0UTC\0')),
  message('D', Buffer.alloc(40)),
  message('E', Buffer.from('SFATAL\0\0')),
  message('Z', Buffer.from('I')),
];

describe('the messages that a benchmark reads', () => {
  it('are the same however the bytes come, with the bodies that somebody reads', () => {
    const bytes = Buffer.concat(messages);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length)), (cuts) => {
        const seen: string[] = [];
        const reader = new MessageReader((code, body) =>
          seen.push(`${String.fromCharCode(code)}${body.length}`),
        );
        const ends = [...cuts.sort((a, b) => a - b), bytes.length];
        let start = 0;
        for (const end of ends) {
          reader.feed(bytes.subarray(start, end));
          start = end;
        }
        expect(seen).toEqual(['R4', 'S0', 'D0', 'E8', 'Z0']);
      }),
    );
  });
});
