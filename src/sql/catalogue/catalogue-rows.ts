/**
 * What is read of a database's catalogue. Object ids are decimal texts, as the server gives them.
 */

export type CatalogueFunction = {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** `sql`, `plpgsql`, `c`, `internal`, …; empty for an aggregate, which is its parts. */
  readonly language: string;
  /** Whether it can be called with one argument: `(x).f` is another way to write `f(x)`. */
  readonly takesArgument: boolean;
  /** `CREATE FUNCTION …` for sql and plpgsql; null when it is too long, or of another language. */
  readonly definition: string | null;
};

export type CatalogueRelation = {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** As `pg_class.relkind`. */
  readonly kind: string;
};

export type CatalogueNamed = {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
};

/** An operator, cast or operator class member, and the types that bring it into play. */
export type CatalogueImplied = {
  /** `o` operator, `c` cast, `p` support function of an operator class. */
  readonly kind: 'o' | 'c' | 'p';
  /** Of the operator or cast; of the function for `p`. */
  readonly oid: string;
  /** For operators; empty otherwise. */
  readonly schema: string;
  readonly name: string;
  readonly leftType: string;
  readonly rightType: string;
};

/** Classes of objects in edges: function, operator, type, cast, relation. */
export type ObjectClass = 'f' | 'o' | 't' | 'c' | 'r';

/**
 * When an owner that is a relation runs what an edge leads to: whenever it is used (`R`), when it
 * is written (`W`), or whenever it is used and in the same way, as a view passes writes on (`V`).
 */
export type EdgeMode = 'R' | 'W' | 'V';

/** `owner` runs what `ref` is. */
export type CatalogueEdge = {
  readonly mode: EdgeMode;
  readonly ownerClass: ObjectClass;
  readonly owner: string;
  readonly refClass: ObjectClass;
  readonly ref: string;
};

/**
 * What calls one of PostgreSQL's own functions that has an effect or tells of sequences: a stored
 * expression, an aggregate by its parts, an operator, a cast. For a support function of an operator
 * class it is that function itself.
 */
export type CatalogueUnsafe = {
  readonly mode: 'R' | 'W';
  readonly ownerClass: ObjectClass;
  readonly owner: string;
  /** Bits of Effect. */
  readonly effects: number;
  readonly readsSequences: boolean;
};

/**
 * What stored expressions, such as the query of a view, use of PostgreSQL's own when their owner is
 * read.
 */
export type CatalogueUse = {
  readonly ownerClass: ObjectClass;
  readonly owner: string;
  /** Names of functions, those of operators and aggregates among them. */
  readonly functions: readonly string[];
  /** It locks rows, or reads a system catalogue or view. */
  readonly isMore: boolean;
};

export type CatalogueRows = {
  /** Names of PostgreSQL's own objects. */
  readonly systemFunctions: ReadonlySet<string>;
  /** Those of them that are volatile. */
  readonly systemVolatile: ReadonlySet<string>;
  readonly systemRelations: ReadonlySet<string>;
  readonly systemTypes: ReadonlySet<string>;
  readonly systemOperators: ReadonlySet<string>;
  readonly functions: readonly CatalogueFunction[];
  readonly relations: readonly CatalogueRelation[];
  readonly types: readonly CatalogueNamed[];
  readonly implied: readonly CatalogueImplied[];
  readonly edges: readonly CatalogueEdge[];
  readonly unsafe: readonly CatalogueUnsafe[];
  readonly uses: readonly CatalogueUse[];
  /** Functions that DDL runs: of event triggers, and those that check options. */
  readonly eventTriggers: readonly string[];
  /** Objects of trusted extensions: class and id, as in `f16400`. */
  readonly trusted: ReadonlySet<string>;
};
