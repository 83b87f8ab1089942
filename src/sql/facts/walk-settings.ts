/** SET, RESET and `set_config`, and the one other function that takes a name as text. */

import { Effect } from './facts.ts';
import type { FactsBuilder } from './facts-builder.ts';
import { asObject, asText, type Json, type JsonObject, nameParts } from './parser.ts';

export function noteVariableSet(node: JsonObject, builder: FactsBuilder): void {
  const name = asText(node['name']) ?? '';
  const isDefault = node['kind'] === 'VAR_RESET' || node['kind'] === 'VAR_SET_DEFAULT';
  if (isDefault && node['is_local'] !== true) builder.resets = name.toLowerCase();
  switch (node['kind']) {
    case 'VAR_RESET_ALL':
      builder.effect(Effect.Session, 'RESET ALL');
      builder.resets = '';
      return;
    case 'VAR_SET_MULTI':
      // The others are SET TRANSACTION, which ends with its transaction.
      if (name === 'SESSION CHARACTERISTICS') {
        builder.effect(Effect.Session, 'SET SESSION CHARACTERISTICS');
      }
      return;
    case 'VAR_SET_VALUE':
    case 'VAR_SET_DEFAULT':
    case 'VAR_SET_CURRENT':
    case 'VAR_RESET':
      // The random generator's seed is no setting that a transaction's end brings back.
      if (node['is_local'] === true) builder.localSetting(name);
      if (node['is_local'] !== true || name.toLowerCase() === 'seed') builder.setting(name);
      return;
    default:
      builder.effect(Effect.Session, 'unknown SET');
  }
}

/** The expression below a cast to text, which does not change a string to another. */
function withoutCasts(value: Json | undefined): JsonObject | null {
  const node = asObject(value);
  const cast = asObject(node?.['TypeCast']);
  if (cast === null) return node;
  const type = nameParts(asObject(cast['typeName'])?.['names']).at(-1);
  return type === 'text' ? asObject(cast['arg']) : null;
}

function constantText(node: JsonObject | null): string | null {
  const constant = asObject(node?.['A_Const']);
  const string = asObject(constant?.['sval']);
  return string === null ? null : (asText(string['sval']) ?? '');
}

function isConstantTrue(value: Json | undefined): boolean {
  const constant = asObject(asObject(value)?.['A_Const']);
  return asObject(constant?.['boolval'])?.['boolval'] === true;
}

/** `set_config(name, value, is_local)`; arguments given by name are not told apart. */
export function noteSetConfig(args: readonly Json[], builder: FactsBuilder): void {
  const first = withoutCasts(args[0]);
  const local = args.length === 3 && isConstantTrue(args[2]);
  const name = constantText(first);
  if (name !== null) {
    builder.literalDependent = true;
    if (local) builder.localSetting(name);
    if (!local || name.toLowerCase() === 'seed') builder.setting(name);
    return;
  }
  if (local) {
    builder.localSetting(null);
    return;
  }
  const parameter = asObject(first?.['ParamRef'])?.['number'];
  if (typeof parameter === 'number' && parameter > 0) builder.settingParam(parameter);
  else builder.effect(Effect.Permanent, 'set_config of a computed name');
}

const isPlainName = (text: string): boolean => {
  for (const character of text) {
    if (!'abcdefghijklmnopqrstuvwxyz0123456789_'.includes(character)) return false;
  }
  return text !== '';
};

/**
 * `pg_input_is_valid(text, 'type')` runs the type's input function, hence the checks of a domain.
 */
export function noteTypeCheck(name: string, args: readonly Json[], builder: FactsBuilder): void {
  const type = constantText(withoutCasts(args[1]));
  builder.literalDependent = true;
  if (type !== null && isPlainName(type)) builder.type({ schema: null, name: type });
  else builder.effect(Effect.Permanent, name);
}
