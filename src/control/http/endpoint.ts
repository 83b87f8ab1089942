/** One row of the API: what it takes, what it gives, who may call it, and what it does. */
import type * as z from 'zod';
import type { ControlContext } from '../context.ts';
import type { Caller } from './authentication.ts';
import type { PageQuery } from './reply.ts';

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

/** Of a list: one page, and how many there are in all. */
export type Paged<T> = {
  readonly items: readonly T[];
  readonly total: number;
  readonly page: PageQuery;
};

export type Call<Params, Query, Body> = {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  readonly context: ControlContext;
};

export type EndpointDocs = {
  readonly method: Method;
  /** Below `/client/v4`, parameters in braces. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  readonly scope: 'read' | 'write';
  readonly tag: string;
};

/** An endpoint with its types closed over. */
export type Endpoint = EndpointDocs & {
  readonly params: z.ZodType;
  readonly query: z.ZodType | null;
  readonly body: z.ZodType | null;
  readonly result: z.ZodType;
  readonly isPaged: boolean;
  /** Takes what the schemas have let through. */
  run(call: Call<unknown, unknown, unknown>): Promise<unknown>;
};

type Shape<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
> = EndpointDocs & {
  readonly params: P;
  readonly query?: Q;
  readonly body?: B;
  readonly result: R;
};

/** Everything a schema lets through is handed to `handle`; its result goes into the envelope. */
export function endpoint<
  P extends z.ZodType,
  R extends z.ZodType,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(
  shape: Shape<P, Q, B, R>,
  handle: (call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<z.input<R>>,
): Endpoint {
  return make(shape, false, handle as Endpoint['run']);
}

/** The same for a list: `handle` gives one page. */
export function listEndpoint<P extends z.ZodType, Q extends z.ZodType, R extends z.ZodType>(
  shape: Shape<P, Q, z.ZodUndefined, R> & { readonly query: Q },
  handle: (call: Call<z.output<P>, z.output<Q>, undefined>) => Promise<Paged<z.input<R>>>,
): Endpoint {
  return make(shape, true, handle as Endpoint['run']);
}

function make(
  shape: Shape<z.ZodType, z.ZodType, z.ZodType, z.ZodType>,
  isPaged: boolean,
  run: Endpoint['run'],
): Endpoint {
  return { ...shape, query: shape.query ?? null, body: shape.body ?? null, isPaged, run };
}
