/** Text search knows one configuration; PostgreSQL below has one for every language. */
import { asList, asObject, type JsonObject } from '../../sql/facts/parser.ts';
import { DsqlError } from '../dsql-error.ts';
import { constantOf, qualifiedName } from './tree.ts';

const CONFIGURATION = 'simple';

/** Functions that take a configuration first, by how many arguments they have at least with one. */
const functions: ReadonlyMap<string, number> = new Map([
  ['to_tsvector', 2],
  ['to_tsquery', 2],
  ['plainto_tsquery', 2],
  ['phraseto_tsquery', 2],
  ['websearch_to_tsquery', 2],
  ['ts_debug', 2],
  ['json_to_tsvector', 3],
  ['jsonb_to_tsvector', 3],
  // With three it may begin with the document as well.
  ['ts_headline', 4],
]);

function refuseOthers(name: string | null): void {
  if (name === null) return;
  const own = name.startsWith('pg_catalog.') ? name.slice('pg_catalog.'.length) : name;
  if (own.toLowerCase() === CONFIGURATION) return;
  throw new DsqlError('42704', `text search configuration "${own}" does not exist`);
}

/** The first argument of a call, where it is written out. @throws DsqlError 42704 */
export function refuseConfigurationOfCall(call: JsonObject): void {
  const { schema, name } = qualifiedName(call['funcname']);
  if (schema !== null && schema !== 'pg_catalog') return;
  const args = asList(call['args']);
  const argsMin = functions.get(name);
  if (argsMin !== undefined && args.length >= argsMin) refuseOthers(constantOf(args[0]));
}

/** `'english'::regconfig`. @throws DsqlError 42704 */
export function refuseConfigurationOfCast(cast: JsonObject): void {
  const { schema, name } = qualifiedName(asObject(cast['typeName'])?.['names']);
  if (name !== 'regconfig' || (schema !== null && schema !== 'pg_catalog')) return;
  refuseOthers(constantOf(cast['arg']));
}
