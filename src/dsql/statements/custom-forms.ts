/**
 * The statements of Aurora DSQL that PostgreSQL's grammar does not have. They are recognised by
 * their first tokens and blanked, byte for byte, so that the parser can read the rest and every
 * offset stays what it was.
 */
import { DsqlError, unsupported } from '../dsql-error.ts';
import type { RoleStatement } from './judgement.ts';
import { refuseSystemRole } from './system-entity.ts';
import { TokenKind, TokenReader } from './tokens.ts';

const SPACE = 0x20;

/** `AWS IAM …`, which is blanked as a whole. */
export type IamStatement = {
  readonly start: number;
  readonly end: number;
  /** A refusal is told in its turn, behind what stands before it. */
  readonly role: RoleStatement | DsqlError;
};

export type CustomForms = {
  /** The text without them. */
  readonly bytes: Uint8Array;
  readonly iam: readonly IamStatement[];
  /** Where an ASYNC stood. */
  readonly asyncAt: readonly number[];
};

/** What PostgreSQL would say of the token at hand. */
function syntaxError(token: TokenReader): DsqlError {
  const isEnd = token.kind === TokenKind.End;
  return new DsqlError(
    '42601',
    isEnd ? 'syntax error at end of input' : `syntax error at or near "${token.text}"`,
  );
}

/** @throws DsqlError 42601 for an `AWS …` that is nothing else either */
export function takeCustomForms(bytes: Uint8Array): CustomForms {
  const iam: IamStatement[] = [];
  const asyncAt: number[] = [];
  let copy: Uint8Array | null = null;
  const blank = (start: number, end: number): void => {
    copy ??= Uint8Array.from(bytes);
    copy.fill(SPACE, start, end);
  };
  const token = new TokenReader(bytes, 0, bytes.length);
  let isFirst = true;
  let depth = 0;
  while (token.next() !== TokenKind.End && token.kind !== TokenKind.Bad) {
    if (isFirst && token.isWord('aws')) {
      const statement = readIam(token);
      iam.push(statement);
      blank(statement.start, statement.end);
    } else if (isFirst) {
      const at = asyncOf(token.fork());
      if (at >= 0) {
        asyncAt.push(at);
        blank(at, at + 'async'.length);
      }
    }
    if (token.isPunctuation('(')) depth++;
    else if (token.isPunctuation(')')) depth--;
    isFirst = depth === 0 && token.isPunctuation(';');
  }
  return { bytes: copy ?? bytes, iam, asyncAt };
}

/** `token` is at AWS, and afterwards at the semicolon or the end. @throws DsqlError 42601 */
function readIam(token: TokenReader): IamStatement {
  const start = token.start;
  // PostgreSQL does not know the first word, and would say so of it.
  const aws = token.fork();
  token.next();
  if (!token.isWord('iam')) throw syntaxError(aws);
  token.next();
  const isGrant = token.isWord('grant');
  if (!isGrant && !token.isWord('revoke')) throw syntaxError(token);
  token.next();
  const role = roleAt(token);
  token.next();
  if (!token.isWord(isGrant ? 'to' : 'from')) throw syntaxError(token);
  token.next();
  const arn = arnAt(token);
  const end = token.end;
  token.next();
  if (token.kind !== TokenKind.End && !token.isPunctuation(';')) throw syntaxError(token);
  const refused = role instanceof DsqlError ? role : arn instanceof DsqlError ? arn : null;
  if (refused !== null) return { start, end, role: refused };
  return { start, end, role: { kind: 'iam', isGrant, role: String(role), arn: String(arn) } };
}

function roleAt(token: TokenReader): string | DsqlError {
  if (token.kind === TokenKind.OtherLiteral) {
    return unsupported('AWS IAM takes a role as a name or in double quotes');
  }
  const name = token.name;
  if (name === null) throw syntaxError(token);
  try {
    refuseSystemRole(name);
  } catch (error) {
    return error as DsqlError;
  }
  return name;
}

function arnAt(token: TokenReader): string | DsqlError {
  if (token.kind === TokenKind.OtherLiteral) {
    return unsupported('AWS IAM takes an ARN in plain single quotes');
  }
  if (token.kind !== TokenKind.String) throw syntaxError(token);
  return token.text.slice(1, -1).replaceAll("''", "'");
}

/** Where the ASYNC of `CREATE [UNIQUE] INDEX ASYNC` or `ALTER TABLE ASYNC` stands, or -1. */
function asyncOf(token: TokenReader): number {
  if (token.isWord('alter')) return asyncOfAlter(token);
  if (!token.isWord('create')) return -1;
  token.next();
  if (token.isWord('unique')) token.next();
  if (!token.isWord('index')) return -1;
  token.next();
  return token.isWord('async') ? token.start : -1;
}

/**
 * Only before VALIDATE CONSTRAINT: in any other ALTER TABLE it can be the name of the table, and
 * there is a name behind it here.
 */
function asyncOfAlter(token: TokenReader): number {
  token.next();
  if (!token.isWord('table')) return -1;
  token.next();
  if (!token.isWord('async')) return -1;
  const at = token.start;
  token.next();
  if (token.isWord('if')) {
    token.next();
    if (!token.isWord('exists')) return -1;
    token.next();
  }
  if (token.isWord('only')) token.next();
  for (;;) {
    if (!skipName(token)) return -1;
    if (!token.isDot()) break;
    token.next();
  }
  if (!token.isWord('validate')) return -1;
  token.next();
  return token.isWord('constraint') ? at : -1;
}

/** Goes behind a name, which may be `U&"…" UESCAPE '…'`; false when it is at none. */
function skipName(token: TokenReader): boolean {
  const isUnicode = token.kind === TokenKind.OtherLiteral;
  if (token.name === null && !isUnicode) return false;
  token.next();
  if (isUnicode && token.isWord('uescape')) {
    token.next();
    token.next();
  }
  return true;
}
