import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/base/errors.ts';
import {
  decodeErrorFields,
  encodeErrorResponse,
  encodeGatewayError,
} from '../../../src/protocol/error-response.ts';

const FIELDS = {
  severity: 'FATAL',
  sqlstate: '28P01',
  message: 'no',
  detail: 'because',
  hint: 'try',
};

const decodeBody = (body: Buffer) => decodeErrorFields(body, 0, body.length);

describe('ErrorResponse', () => {
  it('is read as it was written', () => {
    const bytes = encodeErrorResponse(FIELDS);
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - 1);
    expect(decodeErrorFields(bytes, 5, bytes.length)).toEqual(FIELDS);
  });

  it('has no fields that are empty', () => {
    const text = encodeErrorResponse({ ...FIELDS, detail: '', hint: '' }).toString('latin1');
    expect(text).toBe('E\0\0\0\x1eSFATAL\0VFATAL\0C28P01\0Mno\0\0');
  });

  it('cannot be given more fields by a zero in a text', () => {
    const bytes = encodeErrorResponse({ ...FIELDS, message: 'a\0C00000' });
    expect(decodeErrorFields(bytes, 5, bytes.length).message).toBe('a C00000');
  });

  it("tells a client the row's text, detail and hint, and never the cause", () => {
    const error = new GatewayError('MR_AUTH_FAILED', {
      subject: 'joe',
      detail: 'seen',
      cause: new Error('hidden'),
    });
    const bytes = encodeGatewayError(error);
    expect(bytes.toString()).not.toContain('hidden');
    expect(bytes.toString()).toContain('\0RMR_AUTH_FAILED\0');
    expect(decodeErrorFields(bytes, 5, bytes.length)).toEqual({
      severity: 'FATAL',
      sqlstate: '28P01',
      message: 'password authentication failed for user "joe"',
      detail: 'seen',
      hint: '',
    });
  });
});

describe('decodeErrorFields', () => {
  // Fails when decodeErrorFields counts on a code of five characters.
  it('hazard 23, CVE-2026-6666: lives with a missing, short or odd SQLSTATE', () => {
    for (const code of ['', 'C\0', 'C123\0', 'C12345678\0', 'Cab\nde\0']) {
      expect(decodeBody(Buffer.from(`SERROR\0${code}Mboom\0\0`))).toMatchObject({
        sqlstate: 'XX000',
        message: 'boom',
      });
    }
  });

  it('lives with every way of being cut off', () => {
    const body = encodeErrorResponse(FIELDS).subarray(5);
    for (let size = 0; size <= body.length; size++) {
      const fields = decodeBody(body.subarray(0, size));
      expect(fields.sqlstate).toHaveLength(5);
    }
  });

  it('bounds long texts', () => {
    expect(decodeBody(Buffer.from(`M${'x'.repeat(20_000)}\0\0`)).message).toHaveLength(4096);
  });
});
