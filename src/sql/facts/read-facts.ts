import { Effect, type Facts, opaqueFacts } from './facts.ts';
import { FactsBuilder } from './facts-builder.ts';
import { FunctionBodies } from './function-body.ts';
import { asList, asObject, type JsonObject, type SqlParser } from './parser.ts';
import { walkTree } from './walk.ts';

/**
 * Reads a text with PostgreSQL's parser. A text that it does not understand is one that the server
 * will most likely refuse, and then nothing has happened; but the server may be of another version,
 * so that the session is looked at afterwards.
 *
 * @param timeLiteral what the shape of the text says of {@link Facts.timeLiteral}
 */
export function readFacts(parser: SqlParser, text: string, timeLiteral = false): Facts {
  let tree: JsonObject;
  try {
    tree = parser.parse(text);
  } catch (error) {
    // A parser that fails otherwise than by refusing the text has not said anything about it.
    const refused = error instanceof Error && error.name === 'SqlError';
    return refused
      ? opaqueFacts(Effect.Session, 'not understood')
      : opaqueFacts(Effect.Session | Effect.Permanent, 'not read');
  }
  const builder = new FactsBuilder();
  builder.timeLiteral = timeLiteral;
  const statements = asList(tree['stmts']);
  builder.statements = statements.length;
  const first = asObject(asObject(statements[0])?.['stmt']);
  builder.verb = first === null ? '' : (Object.keys(first)[0] ?? '');
  walkTree(statements, builder, new FunctionBodies(parser).read);
  return builder.build();
}
