/**
 * What Aurora DSQL makes of a text: which statements are in it, what each of them is, what
 * PostgreSQL is to run for it, and which is refused in what words. It reads PostgreSQL's own parse
 * tree; what that cannot read runs nowhere.
 */
import { Generations } from '../../base/generations.ts';
import type { SqlParser } from '../../sql/facts/parser.ts';
import { DsqlError } from '../dsql-error.ts';
import { refuseTooComplex, refuseUnfit } from './complexity.ts';
import type { StatementContext } from './context.ts';
import { type CustomForms, type IamStatement, takeCustomForms } from './custom-forms.ts';
import { applyEdits, type Edit, slice } from './edits.ts';
import type { JudgedStatement, Judgement } from './judgement.ts';
import { judgeNode } from './judges.ts';
import { type ParsedStatement, parseText } from './parse-text.ts';

/** Texts that are remembered with their judgements. */
const JUDGEMENTS_MAX = 4_096;
const JUDGEMENT_BYTES_MAX = 16 << 20;
/** A guess at the memory of one judgement beside its text. */
const JUDGEMENT_BYTES = 2_048;
/** Longer texts, and those of more statements, are judged anew each time. */
const REMEMBERED_LENGTH_MAX = 16 << 10;
const REMEMBERED_STATEMENTS_MAX = 8;

export class StatementJudge {
  readonly #parser: SqlParser;
  readonly #known = new Generations<Judgement>(
    JUDGEMENTS_MAX,
    JUDGEMENT_BYTES_MAX,
    JUDGEMENT_BYTES,
  );

  constructor(parser: SqlParser) {
    this.#parser = parser;
  }

  /** The text of a Query or a Parse. Never throws for what a client may send. */
  judge(text: string): Judgement {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const judgement = this.#judge(text);
    const isSmall = judgement.statements.length <= REMEMBERED_STATEMENTS_MAX;
    if (isSmall && text.length <= REMEMBERED_LENGTH_MAX) this.#known.set(text, judgement);
    return judgement;
  }

  #judge(text: string): Judgement {
    const statements: JudgedStatement[] = [];
    try {
      const bytes = Buffer.from(text);
      refuseUnfit(bytes);
      refuseTooComplex(bytes);
      const forms = takeCustomForms(bytes);
      const parsed = parseText(this.#parser, slice(forms.bytes, 0, forms.bytes.length));
      const isAlone = parsed.length === 1 && forms.iam.length === 0;
      let nextAsync = 0;
      for (const statement of inOrder(bytes, parsed, forms)) {
        if ('role' in statement) {
          statements.push(judgeIam(bytes, statement));
          continue;
        }
        while ((forms.asyncAt[nextAsync] ?? Infinity) < statement.start) nextAsync++;
        const isAsync = (forms.asyncAt[nextAsync] ?? Infinity) < statement.end;
        statements.push(this.#judgeParsed(statement, forms, isAsync, isAlone));
      }
    } catch (error) {
      if (error instanceof DsqlError) return { statements, refused: error };
      throw error;
    }
    return { statements, refused: null };
  }

  /** What stands alone keeps what is around it, so that positions in errors are right. */
  #judgeParsed(
    statement: ParsedStatement,
    { bytes }: CustomForms,
    isAsync: boolean,
    isAlone: boolean,
  ): JudgedStatement {
    const { start, end } = statement;
    const edits: Edit[] = [];
    const context: StatementContext = { bytes, start, end, isAsync, parser: this.#parser, edits };
    const action = judgeNode(statement, context);
    const text = isAlone
      ? applyEdits(bytes, 0, bytes.length, edits)
      : applyEdits(bytes, start, end, edits);
    return { text, action, tag: null };
  }
}

function judgeIam(bytes: Uint8Array, { start, end, role }: IamStatement): JudgedStatement {
  if (role instanceof DsqlError) throw role;
  const isGrant = role.kind === 'iam' && role.isGrant;
  return {
    text: slice(bytes, start, end),
    action: { kind: 'role', role },
    tag: isGrant ? 'GRANT' : 'REVOKE',
  };
}

/**
 * The statements of both sorts as they stand in the text.
 *
 * @throws DsqlError for an `AWS IAM …` inside of another statement, such as a function's body
 */
function inOrder(
  bytes: Uint8Array,
  parsed: readonly ParsedStatement[],
  { iam }: CustomForms,
): (ParsedStatement | IamStatement)[] {
  const all = [...parsed, ...iam].toSorted((a, b) => a.start - b.start);
  for (const [index, statement] of all.entries()) {
    const before = all[index - 1];
    if (before === undefined || statement.start >= before.end) continue;
    const word = slice(bytes, statement.start, statement.start + 'AWS'.length);
    throw new DsqlError('42601', `syntax error at or near "${word}"`);
  }
  return all;
}
