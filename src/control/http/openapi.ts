/** The OpenAPI 3.1 document, made of the rows of the API: its schemas are JSON Schema 2020-12. */
import * as z from 'zod';
import { message, resultInfo } from '../schemas/common.ts';
import type { Endpoint } from './endpoint.ts';

type Json = { readonly [key: string]: unknown };

/** Schemas with an id go into `components`, and are referred to. */
class Components {
  readonly schemas: Record<string, Json> = {};

  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    const {
      $schema: _dialect,
      $defs,
      ...rest
    } = z.toJSONSchema(schema, {
      target: 'draft-2020-12',
      io,
      unrepresentable: 'any',
    }) as Json & { $defs?: Record<string, Json> };
    for (const [name, definition] of Object.entries($defs ?? {})) {
      this.schemas[name] = relink(definition);
    }
    const { id, ...plain } = rest as Json & { id?: string };
    if (id === undefined) return relink(rest);
    this.schemas[id] = relink(plain);
    return { $ref: `#/components/schemas/${id}` };
  }
}

/** References as OpenAPI has them, and without the ids, which are no URLs. */
function relink(schema: Json): Json {
  const text = JSON.stringify(schema, (key, value) =>
    key === 'id' && isName(value) ? undefined : value,
  );
  return JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}

const isName = (value: unknown): boolean => typeof value === 'string';

const describe = (schema: Json): Json => ({ 'application/json': { schema } });

function envelope(result: Json, isPaged: boolean): Json {
  const required = ['result', 'success', 'errors', 'messages'];
  return {
    type: 'object',
    properties: {
      result: isPaged ? { type: 'array', items: result } : result,
      success: { type: 'boolean' },
      errors: { type: 'array', items: { $ref: '#/components/schemas/Message' } },
      messages: { type: 'array', items: { $ref: '#/components/schemas/Message' } },
      ...(isPaged ? { result_info: { $ref: '#/components/schemas/ResultInfo' } } : {}),
    },
    required: isPaged ? [...required, 'result_info'] : required,
  };
}

function parametersOf(components: Components, { params, query }: Endpoint): Json[] {
  const rows = (schema: z.ZodType, place: 'path' | 'query') => {
    const { properties = {} } = components.of(schema, 'input') as { properties?: Json };
    return Object.entries(properties).map(([name, each]) => ({
      name,
      in: place,
      required: place === 'path',
      schema: each,
    }));
  };
  return [...rows(params, 'path'), ...(query === null ? [] : rows(query, 'query'))];
}

function operationOf(components: Components, row: Endpoint): Json {
  const { operationId, summary, tag, scope, body, result, isPaged } = row;
  const content = (schema: z.ZodType) => describe(components.of(schema, 'input'));
  return {
    operationId,
    summary,
    tags: [tag],
    description: `Needs a token that may ${scope}.`,
    security: [{ token: [] }],
    parameters: parametersOf(components, row),
    ...(body === null
      ? {}
      : { requestBody: { required: !body.safeParse({}).success, content: content(body) } }),
    responses: {
      200: {
        description: 'Done',
        content: describe(envelope(components.of(result, 'input'), isPaged)),
      },
      default: {
        description: 'Refused: the codes are in the reference of the API',
        content: describe({ $ref: '#/components/schemas/Failure' }),
      },
    },
  };
}

export function openApiDocument(endpoints: readonly Endpoint[], version: string): Json {
  const components = new Components();
  components.schemas['Message'] = components.of(message, 'output');
  components.schemas['ResultInfo'] = components.of(resultInfo, 'output');
  const failureResult = { type: 'null' };
  components.schemas['Failure'] = envelope(failureResult, false);
  const paths: Record<string, Record<string, Json>> = {};
  for (const row of endpoints) {
    const path = (paths[row.path] ??= {});
    path[row.method] = operationOf(components, row);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Millrace', version, description: 'The control API of Millrace.' },
    servers: [{ url: '/client/v4' }],
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}
