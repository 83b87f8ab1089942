/**
 * Aurora DSQL has no geometric types, not even in expressions, where its other types that no column
 * can have are free. A cast can be written like a call: `line('…')` is one as well.
 */
import { asObject, type Json, type JsonObject } from '../../sql/facts/parser.ts';
import { unsupported } from '../dsql-error.ts';
import { typeOf } from './column-types.ts';
import { qualifiedName } from './tree.ts';

/** Each is also the name of the functions that make a value of the type. */
const geometricTypes: ReadonlySet<string> = new Set(
  'point line lseg box path polygon circle'.split(' '),
);

/** A function of the client's own may have such a name when it is called with its schema. */
function isGeometric(names: Json | undefined): boolean {
  const { schema, name } = qualifiedName(names);
  const isOwn = schema !== null && schema !== 'pg_catalog';
  return !isOwn && geometricTypes.has(name.replace(/^_/, ''));
}

/** `line('…')`, `circle(p, 1)`. @throws DsqlError */
export function refuseGeometricCall(call: JsonObject): void {
  if (!isGeometric(call['funcname'])) return;
  throw unsupported(`datatype ${qualifiedName(call['funcname']).name} not supported`);
}

/** `'…'::line`, `CAST (a AS line[])`. @throws DsqlError */
export function refuseGeometricCast(cast: JsonObject): void {
  const typeName = asObject(cast['typeName']);
  if (typeName === null || !isGeometric(typeName['names'])) return;
  throw unsupported(`datatype ${typeOf(typeName).display} not supported`);
}
