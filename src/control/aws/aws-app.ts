/** The APIs of AWS on the HTTP server of the control plane: who asks, what for, and the answer. */
import { randomUUID } from 'node:crypto';
import type { Context, Hono } from 'hono';
import { GatewayError } from '../../base/errors.ts';
import type { ControlContext } from '../context.ts';
import { AwsError, internal, RETRY_AFTER_S } from './aws-error.ts';
import type { AwsPlane } from './aws-plane.ts';
import { type AwsCall, type AwsRequest, authenticateRequest, receive } from './aws-request.ts';
import { DSQL_PATH, serveDsql } from './dsql-operations.ts';
import { serveSts, stsErrorBody } from './sts.ts';

const STORE_ERRORS: ReadonlySet<string> = new Set(['MR_STORE_UNAVAILABLE', 'MR_STORE_KEY']);

/** As an error of AWS; what nobody foresaw is for the log alone. */
function asAwsError(error: unknown, { log }: ControlContext): AwsError {
  if (error instanceof AwsError) return error;
  const isStore = error instanceof GatewayError && STORE_ERRORS.has(error.code);
  const stack = error instanceof Error ? error.stack : String(error);
  const reason = isStore ? error.message : stack;
  log.error({ reason }, 'a request of the AWS API failed');
  return internal();
}

function headersOf(requestId: string, type: string): Record<string, string> {
  return { 'content-type': type, 'x-amzn-requestid': requestId };
}

async function answerDsql(call: AwsCall, request: AwsRequest, requestId: string) {
  const answer = await serveDsql(call, request);
  const headers = headersOf(requestId, 'application/json');
  return new Response(JSON.stringify(answer), { status: 200, headers });
}

function failDsql(error: AwsError, requestId: string): Response {
  const { type, message, members, status } = error;
  const headers = { ...headersOf(requestId, 'application/json'), 'x-amzn-errortype': type };
  const body = JSON.stringify({ message, ...members });
  if (status < 500) return new Response(body, { status, headers });
  return new Response(body, { status, headers: { ...headers, 'retry-after': `${RETRY_AFTER_S}` } });
}

async function answerSts(call: AwsCall, request: AwsRequest, requestId: string) {
  const xml = await serveSts(call, request.body.toString(), requestId);
  return new Response(xml, { status: 200, headers: headersOf(requestId, 'text/xml') });
}

function failSts(error: AwsError, requestId: string): Response {
  const { status, xml } = stsErrorBody(error, requestId);
  return new Response(xml, { status, headers: headersOf(requestId, 'text/xml') });
}

const SERVICES = {
  dsql: { answer: answerDsql, fail: failDsql },
  sts: { answer: answerSts, fail: failSts },
} as const;

async function serve(
  c: Context,
  context: ControlContext,
  aws: AwsPlane,
  service: keyof typeof SERVICES,
): Promise<Response> {
  const requestId = randomUUID();
  const { answer, fail } = SERVICES[service];
  try {
    const request = await receive(c);
    const principal = authenticateRequest(aws, request, service);
    return await answer({ principal, aws, context }, request, requestId);
  } catch (error) {
    return fail(asAwsError(error, context), requestId);
  }
}

/** STS has `POST /`, and Aurora DSQL its paths; nothing of theirs is below `/client/v4`. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the server adds to a request
export function mountAws(app: Hono<any>, context: ControlContext, aws: AwsPlane): void {
  app.post('/', (c) => serve(c, context, aws, 'sts'));
  app.all('*', async (c, next) => {
    if (!DSQL_PATH.test(c.req.path)) return await next();
    return await serve(c, context, aws, 'dsql');
  });
}
