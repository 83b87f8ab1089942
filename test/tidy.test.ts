import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { errorTable } from '../src/base/errors.ts';
import * as rules from './support/tidy-rules.ts';

const root = join(import.meta.dirname, '..');

/** What is built or installed below them is not ours. */
const FOREIGN = /(^|\/)(node_modules|\.build|results)\//;

function read(folder: string): rules.SourceFile[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !FOREIGN.test(name))
    .map((name) => `${folder}/${name}`)
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

const source = read('src');
const file = (path: string, text: string): rules.SourceFile => ({ path, text });

/** Each rule with a text that breaks it, one that only looks so, and what is said of the first. */
const cases: readonly {
  readonly name: string;
  readonly rule: (files: readonly rules.SourceFile[]) => string[];
  readonly bad: readonly rules.SourceFile[];
  readonly good: readonly rules.SourceFile[];
}[] = [
  {
    name: 'a folder imports only from lower levels',
    rule: rules.importDirection,
    bad: [
      file(
        'src/pool/a.ts',
        "import { b } from '../session/b.ts';\nimport { c } from '../net/c.ts';",
      ),
      file('src/net/d.ts', "import type {\n  E,\n} from '../gateway/e.ts';"),
      file('src/net/f.ts', "const g = await import('../cli/g.ts');"),
      file('src/nowhere/h.ts', ''),
    ].slice(),
    good: [
      file('src/pool/a.ts', "import { b } from '../session/b.ts';\nimport { c } from './c.ts';"),
      file('src/main.ts', "import { runCli } from './cli/run.ts';"),
    ],
  },
  {
    name: 'the core has no input, output, clock, randomness or waiting',
    rule: rules.purity,
    bad: [
      file('src/base/a.ts', 'const now = Date.now();'),
      file('src/sql/a.ts', "import { readFileSync } from 'node:fs';"),
      file('src/session/a.ts', "import { createHash } from 'node:crypto';"),
      file('src/pool/a.ts', 'export async function wait() {}'),
      file('src/cache/a.ts', 'setTimeout(run, 1);'),
    ],
    good: [
      file('src/auth/a.ts', "import { createHash } from 'node:crypto';"),
      file('src/net/a.ts', 'setTimeout(run, Date.now());'),
      file('src/base/b.ts', "// setTimeout is not used\nconst text = 'await this';"),
    ],
  },
  {
    name: 'only net opens sockets',
    rule: rules.socketsOnlyInNet,
    bad: [
      file('src/gateway/a.ts', "import { connect } from 'node:net';"),
      file('src/cli/a.ts', "import * as tls from 'node:tls';"),
    ],
    good: [
      file('src/net/a.ts', "import { connect } from 'node:net';"),
      file('src/gateway/a.ts', "import type { Socket } from 'node:net';"),
    ],
  },
  {
    name: 'syntax that cannot be erased, and default exports, are not used',
    rule: rules.bannedSyntax,
    bad: [
      file('a', 'export default 1;'),
      file('b', 'export enum B { C }'),
      file('c', 'const enum B { C }'),
      file('d', 'namespace N {}'),
      file('e', 'class C { constructor(private readonly x: number) {} }'),
    ],
    good: [file('a', "// export default\nconst text = 'enum B';\nconst enumerable = 1;")],
  },
  {
    name: 'no reminders, silenced tools or paths of a machine are left',
    rule: rules.bannedText,
    bad: [
      file('a', ['// TO', 'DO: later'].join('')),
      file('b', ['/* c8 ig', 'nore next */'].join('')),
      file('c', ['// @ts-ig', 'nore'].join('')),
      file('d', ["read('/ho", "me/ann/x')"].join('')),
    ],
    good: [file('a', "const path = 'src/work/x'; // a todo list of the user, below `/root`")],
  },
  {
    name: 'only the command line writes to the console',
    rule: rules.consoleUse,
    bad: [file('src/net/a.ts', 'console.log(1);')],
    good: [file('src/cli/a.ts', 'console.log(1);'), file('src/net/a.ts', '// console.log(1);')],
  },
  {
    name: 'lines have at most 100 columns',
    rule: rules.lineLength,
    bad: [file('a', 'x'.repeat(101))],
    good: [file('a', 'é'.repeat(100)), file('b.generated.ts', 'x'.repeat(101))],
  },
  {
    name: 'files have at most 400 lines',
    rule: rules.fileLength,
    bad: [file('a', 'x\n'.repeat(401))],
    good: [file('a', 'x\n'.repeat(400)), file('a.generated.ts', 'x\n'.repeat(401))],
  },
  {
    name: 'functions have at most 70 lines',
    rule: rules.functionLength,
    bad: [
      file('a', `export function f() {\n${'  x();\n'.repeat(69)}}\n`),
      file('b', `class C {\n  async #m(): void {\n${'    x();\n'.repeat(69)}  }\n}\n`),
      file('c', `const f = (a: number) => {\n${'  x();\n'.repeat(69)}};\n`),
      file('d', `function f(\n  a: number,\n): void {\n${'  x();\n'.repeat(69)}}\n`),
    ],
    good: [
      file('a', `export function f() {\n${'  x();\n'.repeat(68)}}\n`),
      file('b', `run(\n${'  x,\n'.repeat(99)});\nfunction g() {\n}\n`),
      file('c', `type T = {\n  on(a: number): void;\n${'  x: 1;\n'.repeat(99)}};\n`),
    ],
  },
  {
    name: 'every file of src is used',
    rule: rules.deadFiles,
    bad: [file('src/base/a.ts', '')],
    good: [
      file('src/main.ts', "import './cli/a.ts';"),
      file('src/cli/a.ts', "const b = await import('../base/b.ts');"),
      file('src/base/b.ts', ''),
    ],
  },
];

describe('the source', () => {
  it.each(cases)('$name', ({ rule }) => {
    expect(rule(source)).toEqual([]);
  });

  it('has files of at most 400 lines beside it too', () => {
    const beside = ['test', 'bench', 'scripts'].flatMap(read);
    expect(beside.length).toBeGreaterThan(200);
    expect(rules.fileLength(beside)).toEqual([]);
  });

  it('has an error reference with every code', () => {
    const reference = readFileSync(join(root, 'docs/reference/errors.md'), 'utf8');
    expect(rules.undocumentedCodes(Object.keys(errorTable), reference)).toEqual([]);
  });

  it('has decisions numbered without gap', () => {
    const names = existsSync(join(root, 'docs/adr')) ? readdirSync(join(root, 'docs/adr')) : [];
    expect(names.length).toBeGreaterThan(0);
    expect(rules.adrNumbers(names)).toEqual([]);
  });
});

describe('the scan itself', () => {
  it.each(cases)('catches what breaks the rule: $name', ({ rule, bad, good }) => {
    for (const one of bad) expect([one.path, rule([one]).length > 0]).toEqual([one.path, true]);
    expect(rule(good)).toEqual([]);
  });

  it('catches a wrong number of a decision and an undocumented code', () => {
    expect(rules.adrNumbers(['0001-a.md', '0001-b.md'])).toHaveLength(1);
    expect(rules.adrNumbers(['0001-a.md', '0003-b.md'])).toHaveLength(1);
    expect(rules.adrNumbers(['0002-b.md', '0001-a.md'])).toEqual([]);
    expect(rules.undocumentedCodes(['MR_A', 'MR_B'], '## MR_A\n\nMR_B\n')).toEqual([
      'MR_B: no heading',
    ]);
  });
});
