/** What the endpoint knows of a statement before it is run. */
import type { DsqlError } from '../dsql-error.ts';

/** A relation as it is named; `schema` is null where that is left to `search_path`. */
export type RelationName = { readonly schema: string | null; readonly name: string };

/** A row lock that a SELECT asks for; others are refused. */
export type RowLock = {
  readonly strength: 'FOR UPDATE' | 'FOR KEY SHARE';
  /** The relations that it locks rows of. */
  readonly relations: readonly RelationName[];
};

/**
 * What must be asked of the catalogue before a statement that changes it: a query to be run by the
 * client's own role in the same transaction. A row refuses the statement with what is in it.
 */
export type Guard = {
  readonly sqlstate: string;
  readonly query: string;
  readonly parameters: readonly string[];
};

/** What a statement is to the endpoint: who runs it, and how. */
export type Action =
  /** A query without writes or row locks. */
  | { readonly kind: 'read' }
  /**
   * INSERT, UPDATE, DELETE, or WITH that has one, or a SELECT with row locks; EXPLAIN ANALYZE of
   * one; and a SELECT that calls a function of the client's own, which may do any of it: nothing of
   * that is in `write`.
   */
  | { readonly kind: 'write'; readonly write: Write }
  /** Runs as it is, by the client's own role; it changes the catalogue. */
  | { readonly kind: 'ddl'; readonly guards: readonly Guard[] }
  /** Index builds and validations: run at once, and answered with the id of a job. */
  | { readonly kind: 'job'; readonly job: Job; readonly guards: readonly Guard[] }
  | { readonly kind: 'begin'; readonly isReadOnly: boolean }
  | { readonly kind: 'commit' }
  | { readonly kind: 'rollback' }
  /** `value` null for SET … TO DEFAULT and RESET; `name` null for RESET ALL. */
  | {
      readonly kind: 'set';
      readonly name: string | null;
      readonly value: string | null;
      readonly isLocal: boolean;
    }
  | { readonly kind: 'show'; readonly name: string }
  /** Run by the endpoint on a link of its own with more rights. */
  | { readonly kind: 'role'; readonly role: RoleStatement }
  | { readonly kind: 'wait-for-job'; readonly jobId: string }
  /** PREPARE; `body` is the statement behind AS, judged. */
  | { readonly kind: 'prepare'; readonly name: string; readonly body: JudgedStatement }
  | { readonly kind: 'execute'; readonly name: string }
  /** `name` null for ALL. */
  | { readonly kind: 'deallocate'; readonly name: string | null }
  /** `COPY … FROM STDIN` or `TO STDOUT`. */
  | {
      readonly kind: 'copy';
      readonly direction: 'in' | 'out';
      readonly relation: RelationName | null;
    }
  /** What PostgreSQL runs without changing what is stored: EXPLAIN, SET CONSTRAINTS, … */
  | { readonly kind: 'other' };

export type Write = {
  /** What the whole statement reads and writes, also below WITH and in subqueries. */
  readonly relations: readonly RelationName[];
  /** What it inserts into, updates or deletes from. */
  readonly targets: readonly RelationName[];
  /**
   * A plain INSERT (no ON CONFLICT, no WITH that writes) into one table: its rows can be captured
   * by RETURNING.
   */
  readonly insert: { readonly into: RelationName; readonly hasReturning: boolean } | null;
  readonly locks: readonly RowLock[];
};

export type Job =
  | {
      readonly type: 'INDEX_BUILD';
      readonly table: RelationName;
      /** Null when PostgreSQL is to choose one. */
      readonly index: string | null;
      readonly isIfNotExists: boolean;
    }
  | {
      readonly type: 'VALIDATE_CONSTRAINT';
      readonly table: RelationName;
      readonly constraint: string;
    };

export type RoleStatement =
  | {
      readonly kind: 'create';
      readonly role: string;
      readonly isLogin: boolean;
      readonly isInherit: boolean;
      /** IN ROLE: what it becomes a member of. */
      readonly inRoles: readonly string[];
      /** ROLE and ADMIN: who becomes a member of it, without and with the admin option. */
      readonly members: readonly string[];
      readonly admins: readonly string[];
    }
  /** Null for what is left as it is. */
  | {
      readonly kind: 'alter';
      readonly role: string;
      readonly isLogin: boolean | null;
      readonly isInherit: boolean | null;
    }
  | { readonly kind: 'drop'; readonly roles: readonly string[]; readonly isIfExists: boolean }
  /** GRANT or REVOKE of membership; with the admin option a REVOKE takes only that. */
  | {
      readonly kind: 'membership';
      readonly isGrant: boolean;
      readonly granted: readonly string[];
      readonly grantees: readonly string[];
      readonly hasAdminOption: boolean;
    }
  /** `AWS IAM GRANT role TO 'arn'`, `AWS IAM REVOKE role FROM 'arn'`. */
  | {
      readonly kind: 'iam';
      readonly isGrant: boolean;
      readonly role: string;
      readonly arn: string;
    };

export type JudgedStatement = {
  /** What PostgreSQL is to run: the client's text of this one statement, rewritten if need be. */
  readonly text: string;
  readonly action: Action;
  /** The command tag that DSQL answers where PostgreSQL's is another; null for PostgreSQL's own. */
  readonly tag: string | null;
};

/**
 * A text as a whole. `refused` says which statement it was, by its index: those before it in a
 * simple Query have run by then.
 */
export type Judgement = {
  readonly statements: readonly JudgedStatement[];
  readonly refused: DsqlError | null;
};
