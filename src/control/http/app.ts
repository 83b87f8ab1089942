/** The HTTP side of the API: routes, tokens, limits, and errors in the envelope. */
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type * as z from 'zod';
import { GatewayError } from '../../base/errors.ts';
import { ApiError } from '../api-error.ts';
import { mountAws } from '../aws/aws-app.ts';
import type { ControlContext } from '../context.ts';
import { authenticate } from './authentication.ts';
import type { Endpoint, Paged } from './endpoint.ts';
import { FailureLimiter } from './failure-limiter.ts';
import { openApiDocument } from './openapi.ts';
import { failure, pageInfo, success } from './reply.ts';

export const BASE_PATH = '/client/v4';
const BODY_BYTES_MAX = 1024 * 1024;
/** More mistakes in one request are not told. */
const ISSUES_TOLD_MAX = 5;

/** What the server adds to a request; absent when a test calls the app directly. */
type Environment = {
  Bindings: { incoming?: { socket: { remoteAddress?: string } } };
};
type HttpContext = Context<Environment>;

const addressOf = (c: HttpContext): string => c.env?.incoming?.socket.remoteAddress ?? 'unknown';

/** For people who never heard of the library that has found it. */
function wordsOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.message.endsWith('received undefined')) return 'must be given';
      return `must be of type ${issue.expected}`;
    case 'too_small':
      if (issue.origin === 'string') return `must have ${issue.minimum} characters or more`;
      return `must be ${issue.minimum} or more`;
    case 'too_big':
      if (issue.origin === 'string') return `must have ${issue.maximum} characters or less`;
      return `must be ${issue.maximum} or less`;
    case 'unrecognized_keys':
      return `has no place for ${issue.keys.join(', ')}`;
    default:
      return `is wrong: ${issue.message}`;
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  // The issues name keys and limits; they never quote what was sent.
  const issues = parsed.error.issues.slice(0, ISSUES_TOLD_MAX).map((issue) => {
    const path = issue.path.join('.');
    const words = wordsOf(issue);
    return path === '' ? words : `${path} ${words}`;
  });
  throw new ApiError('invalid', `The ${what} is not valid: ${issues.join('; ')}`);
}

/** JSON whatever the Content-Type says: wrangler sends text/plain. No body is an empty object. */
async function bodyOf(c: HttpContext): Promise<unknown> {
  const text = await c.req.text();
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('invalid', 'The body is not JSON');
  }
}

async function answer(
  c: HttpContext,
  row: Endpoint,
  context: ControlContext,
  limiter: FailureLimiter,
): Promise<Response> {
  const token = c.req.header('authorization') ?? null;
  const caller = await authenticate(context, limiter, token, addressOf(c));
  if (row.scope === 'write' && caller.scope !== 'write') throw new ApiError('unauthorized');
  const parsedParams = row.params.safeParse(c.req.param());
  if (!parsedParams.success) throw new ApiError('noRoute');
  const result = await row.run({
    params: parsedParams.data,
    query: row.query === null ? undefined : check(row.query, c.req.query(), 'query'),
    body: row.body === null ? undefined : check(row.body, await bodyOf(c), 'body'),
    caller,
    context,
  });
  if (!row.isPaged) return c.json(success(result));
  const { items, total, page } = result as Paged<unknown>;
  return c.json(success(items, pageInfo(page, items.length, total)));
}

/** Nothing can be managed now, and what is served goes on. */
const STORE_ERRORS: ReadonlySet<string> = new Set(['MR_STORE_UNAVAILABLE', 'MR_STORE_KEY']);

/** As an error of the API; what nobody foresaw is for the log alone. */
function asApiError(error: unknown, context: ControlContext): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof GatewayError && STORE_ERRORS.has(error.code)) {
    return new ApiError('unsuitable', undefined, error);
  }
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  context.log.error({ reason }, 'a request of the API failed');
  return new ApiError('internal');
}

export function makeApp(
  endpoints: readonly Endpoint[],
  context: ControlContext,
  version: string,
): Hono<Environment> {
  const app = new Hono<Environment>();
  const limiter = new FailureLimiter();
  const document = openApiDocument(endpoints, version);
  const refuse = (c: HttpContext, error: ApiError) => {
    c.header('Cache-Control', 'no-store');
    // What is left of a body that is too large is not read: the connection cannot serve again.
    if (error.status === 413) c.header('Connection', 'close');
    return c.json(failure(error.code, error.message), error.status as ContentfulStatusCode);
  };
  app.onError((error, c) => refuse(c, asApiError(error, context)));
  app.notFound((c) => refuse(c, new ApiError('noRoute')));
  app.use(
    bodyLimit({ maxSize: BODY_BYTES_MAX, onError: () => Promise.reject(new ApiError('tooLarge')) }),
  );
  app.use(async (c, next) => {
    await next();
    c.header('Cache-Control', 'no-store');
    c.header('X-Content-Type-Options', 'nosniff');
  });
  if (context.aws !== null) mountAws(app, context, context.aws);
  app.get(`${BASE_PATH}/openapi.json`, (c) => c.json(document));
  for (const row of endpoints) {
    const path = BASE_PATH + row.path.replaceAll(/\{(\w+)\}/g, ':$1');
    app.on(row.method.toUpperCase(), path, (c) => answer(c, row, context, limiter));
  }
  for (const path of new Set(endpoints.map((row) => row.path))) {
    app.all(BASE_PATH + path.replaceAll(/\{(\w+)\}/g, ':$1'), (c) =>
      refuse(c, new ApiError('wrongMethod')),
    );
  }
  return app;
}
