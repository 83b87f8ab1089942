/**
 * Which functions are PostgreSQL's own. Any other is a client's, and may write: a function in SQL
 * can hold an INSERT, which the text of a call does not show.
 */
import { builtinFunctionEffect } from '../../sql/facts/builtin-functions.ts';
import { pureFunctions } from '../../sql/facts/pure-builtins.generated.ts';
import type { RelationName } from './judgement.ts';
import { isSystemSchema } from './system-entity.ts';

/** Those that a statement may call and that are neither pure nor volatile. */
const stable: ReadonlySet<string> = new Set(
  `aclcontains acldefault aclexplode aclinsert aclitemeq aclremove makeaclitem age mxid_age
  array_to_tsvector col_description obj_description shobj_description convert convert_from
  convert_to current_setting factorial format_type generate_series get_current_ts_config
  has_any_column_privilege has_column_privilege has_database_privilege
  has_foreign_data_wrapper_privilege has_function_privilege has_language_privilege
  has_largeobject_privilege has_parameter_privilege has_schema_privilege has_sequence_privilege
  has_server_privilege has_table_privilege has_tablespace_privilege has_type_privilege
  json_to_tsvector jsonb_to_tsvector lpad rpad repeat oidvectortypes phraseto_tsquery
  plainto_tsquery regclass row_security_active satisfies_hash_partition to_regclass to_regcollation
  to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
  to_tsquery to_tsvector ts_debug ts_headline ts_lexize ts_match_tq ts_match_tt ts_parse
  ts_token_type txid_current txid_current_if_assigned txid_current_snapshot txid_snapshot_xip
  txid_snapshot_xmax txid_snapshot_xmin txid_visible_in_snapshot websearch_to_tsquery
  xml_is_well_formed xml_is_well_formed_content xml_is_well_formed_document xid`.split(/\s+/),
);

/** Whether a call by this name without a schema, or with `pg_catalog`, is one of PostgreSQL's. */
export function isBuiltinName(name: string): boolean {
  return (
    pureFunctions.has(name) ||
    stable.has(name) ||
    builtinFunctionEffect(name) !== undefined ||
    name.startsWith('pg_')
  );
}

export function isBuiltin({ schema, name }: RelationName): boolean {
  return schema === null ? isBuiltinName(name) : isSystemSchema(schema);
}
