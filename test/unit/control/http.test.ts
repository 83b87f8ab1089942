import { describe, expect, it } from 'vitest';
import { apiErrors } from '../../../src/control/api-error.ts';
import { endpoints } from '../../../src/control/endpoints/all.ts';
import { FailureLimiter } from '../../../src/control/http/failure-limiter.ts';
import { openApiDocument } from '../../../src/control/http/openapi.ts';

describe('who fails too often', () => {
  it('is not heard for the rest of the minute, and then again', () => {
    const limiter = new FailureLimiter();
    for (let count = 0; count < 20; count++) {
      expect(limiter.isBlocked('a', count)).toBe(false);
      limiter.onFailure('a', count);
    }
    expect(limiter.isBlocked('a', 59_999)).toBe(true);
    expect(limiter.isBlocked('b', 59_999)).toBe(false);
    expect(limiter.isBlocked('a', 60_000)).toBe(false);
  });
});

describe('the codes of the API', () => {
  it('are each used once', () => {
    const codes = Object.values(apiErrors).map(([code]) => code);
    expect(new Set(codes).size).toBe(codes.length);
  });
});

describe('the OpenAPI document', () => {
  const document = openApiDocument(endpoints, '0.0.0');
  const text = JSON.stringify(document);

  it('has every endpoint under an id of its own', () => {
    const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(endpoints.length);
  });

  it('refers to nothing that is not there', () => {
    const { components } = document as { components: { schemas: Record<string, unknown> } };
    const references = [...text.matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(references.length).toBeGreaterThan(10);
    for (const reference of references) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(Object.keys(components.schemas)).toContain(reference.split('/').pop());
    }
  });

  it('gives no password back', () => {
    const { components } = document as { components: { schemas: Record<string, unknown> } };
    expect(JSON.stringify(components.schemas['Configuration'])).not.toContain('password');
    expect(JSON.stringify(components.schemas['OriginInput'])).toContain('password');
    expect(JSON.stringify(components.schemas['Certificate'])).not.toContain('private_key');
  });
});
