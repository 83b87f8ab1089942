/**
 * Policies of IAM as documents: read once, when they are written, and strictly. What could not be
 * evaluated is refused then, so that no statement is ever half understood. The grammar is that of
 * the IAM User Guide, "Grammar of the IAM JSON policy language".
 */
import { ACCOUNT_ID, IAM_NAME, parseArn, SESSION_NAME } from './arn.ts';

/** Of a user or role, of a cluster, or of who may assume a role. */
export type PolicyKind = 'identity' | 'resource' | 'trust';

/** Longest documents, in characters, as at AWS: inline of a role; of a cluster; of a trust. */
export const POLICY_LENGTH_MAX: Readonly<Record<PolicyKind, number>> = {
  identity: 10_240,
  resource: 20_480,
  trust: 4_096,
};
const STATEMENTS_MAX = 100;

/** Whom a statement of a resource's policy is about. */
export type PrincipalPattern =
  | { readonly kind: 'any' }
  | { readonly kind: 'account'; readonly accountId: string }
  | { readonly kind: 'one'; readonly arn: string };

/** What matches: one of the patterns, or with `isNot` none of them. */
export type Patterns = { readonly isNot: boolean; readonly patterns: readonly string[] };

export type ConditionOperator = {
  readonly isNot: boolean;
  readonly comparison: 'equal' | 'like' | 'arn';
};

export type Condition = ConditionOperator & {
  /** In small letters. */
  readonly key: string;
  readonly values: readonly string[];
};

export type Statement = {
  readonly isAllow: boolean;
  /** Null in policies of identities. */
  readonly principals: readonly PrincipalPattern[] | null;
  readonly actions: Patterns;
  /** Null in trust policies, which are about their role. */
  readonly resources: Patterns | null;
  readonly conditions: readonly Condition[];
};

export type Policy = { readonly statements: readonly Statement[] };

/** What is wrong with a document; the text is for whoever wrote it. */
export type PolicyProblem = { readonly problem: string };

const OPERATORS: ReadonlyMap<string, ConditionOperator> = new Map([
  ['StringEquals', { isNot: false, comparison: 'equal' }],
  ['StringNotEquals', { isNot: true, comparison: 'equal' }],
  ['StringLike', { isNot: false, comparison: 'like' }],
  ['StringNotLike', { isNot: true, comparison: 'like' }],
  ['ArnEquals', { isNot: false, comparison: 'arn' }],
  ['ArnNotEquals', { isNot: true, comparison: 'arn' }],
  ['ArnLike', { isNot: false, comparison: 'arn' }],
  ['ArnNotLike', { isNot: true, comparison: 'arn' }],
]);

/** What is known when a request is judged. Names of keys know no case. */
const CONDITION_KEY =
  /^(aws:principal(arn|account)|aws:resourcetag\/.{1,128}|sts:(externalid|rolesessionname))$/;

const VERSIONS: readonly unknown[] = ['2012-10-17', '2008-10-17'];

class Wrong extends Error {}

function wrong(text: string): never {
  throw new Wrong(text);
}

type Json = Readonly<Record<string, unknown>>;

/** The policy, or what is wrong with it. */
export function readPolicy(text: string, kind: PolicyKind): Policy | PolicyProblem {
  try {
    return readDocument(text, kind);
  } catch (error) {
    if (error instanceof Wrong) return { problem: error.message };
    throw error;
  }
}

function readDocument(text: string, kind: PolicyKind): Policy {
  const most = POLICY_LENGTH_MAX[kind];
  if (text.length > most) wrong(`The policy must have ${most} characters or less.`);
  const document = asObject(parseJson(text), 'The policy');
  checkKeys(document, ['Version', 'Id', 'Statement'], 'The policy');
  const { Version: version = '2008-10-17', Id: id = '', Statement: given } = document;
  if (!VERSIONS.includes(version)) wrong("The policy's Version must be 2012-10-17 or 2008-10-17.");
  if (typeof id !== 'string') wrong("The policy's Id must be a string.");
  const list = Array.isArray(given) ? (given as readonly unknown[]) : [given];
  if (given === undefined || list.length === 0) wrong('The policy has no Statement.');
  if (list.length > STATEMENTS_MAX) wrong(`The policy has more than ${STATEMENTS_MAX} statements.`);
  return { statements: list.map((each) => readStatement(asObject(each, 'A statement'), kind)) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return wrong('The policy is not JSON.');
  }
}

function asObject(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  return wrong(`${what} must be an object.`);
}

function checkKeys(object: Json, known: readonly string[], what: string): void {
  const stranger = Object.keys(object).find((key) => !known.includes(key));
  if (stranger !== undefined) wrong(`${what} has an element that is not supported: ${stranger}.`);
}

const STATEMENT_KEYS = [
  'Sid',
  'Effect',
  'Principal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
];

function readStatement(given: Json, kind: PolicyKind): Statement {
  checkKeys(given, STATEMENT_KEYS, 'A statement');
  const { Sid: sid = '', Effect: effect, Principal: principal, Condition: condition } = given;
  if (typeof sid !== 'string' || !/^[A-Za-z0-9]*$/.test(sid)) wrong('A Sid must be alphanumeric.');
  if (effect !== 'Allow' && effect !== 'Deny') wrong('An Effect must be Allow or Deny.');
  if (kind === 'identity' && principal !== undefined) {
    wrong('A policy of a user or role has no Principal.');
  }
  const actions = readPatterns(given, 'Action') ?? wrong('A statement has no Action.');
  actions.patterns.forEach(checkAction);
  const resources = readPatterns(given, 'Resource');
  if (kind === 'trust' && resources !== null) wrong('A trust policy has no Resource.');
  if (kind !== 'trust' && resources === null) wrong('A statement has no Resource.');
  resources?.patterns.forEach(checkResource);
  return {
    isAllow: effect === 'Allow',
    principals: kind === 'identity' ? null : readPrincipals(principal),
    actions,
    resources,
    conditions: condition === undefined ? [] : readConditions(condition),
  };
}

/** `Action` or `NotAction`, and so on; null when neither is there. */
function readPatterns(given: Json, name: 'Action' | 'Resource'): Patterns | null {
  const { [name]: positive, [`Not${name}`]: negative } = given;
  if (positive !== undefined && negative !== undefined) {
    wrong(`A statement has both ${name} and Not${name}.`);
  }
  if (positive === undefined && negative === undefined) return null;
  const isNot = positive === undefined;
  return { isNot, patterns: readStrings(positive ?? negative, isNot ? `Not${name}` : name) };
}

function readStrings(value: unknown, what: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) wrong(`${what} is empty.`);
  return list.map((each) => {
    if (typeof each !== 'string') return wrong(`${what} must be a string or a list of them.`);
    if (each.includes('${')) wrong(`${what} has a policy variable, which is not supported.`);
    return each;
  });
}

function checkAction(text: string): void {
  if (text !== '*' && !/^[A-Za-z0-9-]+:[A-Za-z0-9*?]+$/.test(text)) {
    wrong('An Action must be * or of the form service:Action.');
  }
}

function checkResource(text: string): void {
  if (text !== '*' && !/^arn:[^:]+:[^:]+(:|$)/.test(text) && text !== 'arn:*') {
    wrong('A Resource must be * or an ARN.');
  }
}

function readPrincipals(value: unknown): readonly PrincipalPattern[] {
  if (value === undefined) wrong('A statement has no Principal.');
  if (value === '*') return [{ kind: 'any' }];
  const object = asObject(value, 'A Principal that is not *');
  checkKeys(object, ['AWS'], 'A Principal');
  if (object['AWS'] === undefined) wrong('A Principal is empty.');
  return readStrings(object['AWS'], 'A Principal').map(readPrincipal);
}

function readPrincipal(text: string): PrincipalPattern {
  if (text === '*') return { kind: 'any' };
  if (ACCOUNT_ID.test(text)) return { kind: 'account', accountId: text };
  const arn = parseArn(text);
  const [type = '', name = '', session, ...more] = arn?.resource.split('/') ?? [];
  if (arn === null || arn.region !== '' || arn.accountId === '' || more.length > 0) {
    return wrong('A Principal must be *, an account, or the ARN of a user, role or session.');
  }
  const { service, accountId, resource } = arn;
  if (service === 'iam' && resource === 'root') return { kind: 'account', accountId };
  const isOfIam = service === 'iam' && session === undefined && /^(user|role)$/.test(type);
  const isSession =
    service === 'sts' && type === 'assumed-role' && SESSION_NAME.test(session ?? '');
  if (!IAM_NAME.test(name) || !(isOfIam || isSession)) {
    wrong('A Principal must be *, an account, or the ARN of a user, role or session.');
  }
  return { kind: 'one', arn: text };
}

function readConditions(value: unknown): readonly Condition[] {
  return Object.entries(asObject(value, 'A Condition')).flatMap(([name, keys]) => {
    const operator = OPERATORS.get(name);
    if (operator === undefined) {
      return wrong(`The condition operator ${name.slice(0, 64)} is not supported.`);
    }
    return Object.entries(asObject(keys, `The condition ${name}`)).map(([key, values]) => {
      if (!CONDITION_KEY.test(key.toLowerCase())) {
        wrong(`The condition key ${key.slice(0, 128)} is not supported.`);
      }
      return { ...operator, key: key.toLowerCase(), values: readStrings(values, 'A condition') };
    });
  });
}
