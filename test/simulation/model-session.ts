/**
 * A session of the model PostgreSQL: messages in, messages out, after the manual's "Message Flow".
 * It knows nothing of the gateway. A statement that sleeps takes time, so that it can be cancelled.
 * In a failed transaction it refuses every Bind, where PostgreSQL looks at the number of the
 * parameters first. `docs/compatibility.md` says so.
 */
import {
  endsTransaction,
  isKnown,
  ModelError,
  type Result,
  returnsRows,
  runSql,
  type Surroundings,
} from './model-sql.ts';
import { ModelState, type ModelTable, REPORTED } from './model-state.ts';

type Prepared = { readonly text: string; readonly zoneAtParse: string };
type Portal = Prepared & {
  readonly values: readonly string[];
  /** Null before the first Execute, and for COPY. */
  result: Result | null;
  isDone: boolean;
  shown: number;
};

const NOTHING = Buffer.alloc(0);
const HEADER = 5;
const SLEEP = /pg_sleep\(([\d.]+)\)/;
const COPY_IN = /^COPY t FROM STDIN$/;
const COPY_OUT = /^COPY \(SELECT m FROM t WHERE m LIKE '([^%]+)%'\) TO STDOUT$/;

export class ModelSession {
  readonly state: ModelState;
  readonly prepared = new Map<string, Prepared>();
  /** What has been answered and not been taken. */
  #out: Buffer[] = [];
  #input: Buffer = NOTHING;
  readonly #portals = new Map<string, Portal>();
  readonly #reported = new Map<string, string>();
  #isSkipping = false;
  /** COPY data is coming in, for a simple Query or for an Execute. */
  #copy: { readonly isQuery: boolean; data: string } | null = null;
  #sleepsUntilMs: number | null = null;
  #hasSlept = false;
  /** The next sleep ends as if it had been cancelled. */
  cancelsNext = false;
  isEnded = false;

  /** @param startup settings to which RESET goes back */
  constructor(table: ModelTable, startup: ReadonlyMap<string, string> = new Map()) {
    this.state = new ModelState(table, startup);
    for (const name of REPORTED.keys()) this.#reported.set(name, this.state.setting(name) ?? '');
  }

  get isAsleep(): boolean {
    return this.#sleepsUntilMs !== null;
  }

  receive(bytes: Buffer): void {
    this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
  }

  /** What the server has written since the last call. */
  take(): Buffer {
    const bytes = Buffer.concat(this.#out);
    this.#out = [];
    return bytes;
  }

  /** Works on whole messages until there is none, or a statement sleeps at this time. */
  run(nowMs: number): void {
    for (let at = 0; ; ) {
      const end = this.#messageEnd(at);
      const isDone = this.isEnded || end < 0 || !this.#message(at, end, nowMs);
      if (isDone) {
        if (at > 0) this.#input = this.#input.subarray(at);
        return;
      }
      at = end;
    }
  }

  /** A CancelRequest has come: it hits what sleeps, and nothing otherwise. */
  cancel(): void {
    if (this.isAsleep) this.cancelsNext = true;
  }

  /** The connection is gone. */
  end(): void {
    this.isEnded = true;
    this.state.rollback();
  }

  #messageEnd(at: number): number {
    if (this.#input.length - at < HEADER) return -1;
    const end = at + 1 + this.#input.readUInt32BE(at + 1);
    return end > this.#input.length ? -1 : end;
  }

  /** False when the message must be looked at again later. */
  #message(at: number, end: number, nowMs: number): boolean {
    const code = String.fromCharCode(this.#input[at] as number);
    const body = this.#input.toString('latin1', at + HEADER, end);
    if (code === 'X') {
      this.end();
      return true;
    }
    if (this.#copy !== null) {
      this.#onCopy(code, body);
      return true;
    }
    if (code === 'S') this.#sync();
    else if (!this.#isSkipping && !'dcfH'.includes(code)) {
      const text = this.#textOf(code, body);
      if (text !== null && this.#mustSleep(text, nowMs)) return false;
      try {
        this.#dispatch(code, body);
      } catch (error) {
        this.#fail(error, code === 'Q');
      }
    }
    this.#hasSlept = false;
    return true;
  }

  /** The text that the message is going to run. */
  #textOf(code: string, body: string): string | null {
    if (code === 'Q') return body;
    if (code !== 'E') return null;
    return this.#portals.get(body.slice(0, body.indexOf('\0')))?.text ?? null;
  }

  #mustSleep(text: string, nowMs: number): boolean {
    const seconds = SLEEP.exec(text)?.[1];
    if (seconds === undefined || this.#hasSlept || this.state.isFailed) return false;
    this.#sleepsUntilMs ??= nowMs + Number(seconds) * 1_000;
    if (nowMs < this.#sleepsUntilMs && !this.cancelsNext) return true;
    this.#sleepsUntilMs = null;
    this.#hasSlept = true;
    return false;
  }

  #dispatch(code: string, body: string): void {
    const [first = '', second = ''] = body.split('\0', 2);
    switch (code) {
      case 'Q':
        this.#query(first);
        break;
      case 'P':
        this.#parse(first, second);
        break;
      case 'B':
        this.#bind(first, second, body);
        break;
      case 'D':
        this.#describe(first[0] as string, first.slice(1));
        break;
      case 'C':
        if (first.startsWith('S')) this.prepared.delete(first.slice(1));
        else this.#portals.delete(first.slice(1));
        this.#say('3');
        break;
      case 'E':
        this.#execute(first, Buffer.from(body, 'latin1').readInt32BE(first.length + 1));
        break;
      default:
        throw new ModelError('08P01', `invalid frontend message type ${code}`);
    }
  }

  #query(text: string): void {
    this.prepared.delete('');
    const statements = text.split(';').map((part) => part.trim());
    if (text.trim() === '') this.#say('I');
    for (const statement of statements) {
      if (statement === '') continue;
      this.#refuseInFailed(statement);
      // It runs in the unnamed portal.
      this.#portals.delete('');
      this.state.begin();
      const copyOut = COPY_OUT.exec(statement);
      if (COPY_IN.test(statement)) {
        this.#beginCopy(true);
        return;
      }
      if (copyOut !== null) this.#copyOut(copyOut[1] as string);
      else {
        const result = runSql(statement, this.#around(this.#zone), []);
        if (result.rows !== null) this.#say('T', this.#columns(statement));
        for (const row of result.rows ?? []) this.#row(row);
        this.#say('C', `${result.tag}\0`);
      }
    }
    this.#ready();
  }

  #parse(name: string, text: string): void {
    if (name === '') this.prepared.delete('');
    const isCopy = COPY_IN.test(text) || COPY_OUT.test(text);
    if (text !== '' && !isCopy && !isKnown(text)) {
      throw new ModelError('42601', `syntax error at or near "${text.slice(0, 20)}"`);
    }
    if (text !== '') this.#refuseInFailed(text);
    if (this.prepared.has(name)) {
      throw new ModelError('42P05', `prepared statement "${name}" already exists`);
    }
    this.state.begin();
    this.prepared.set(name, { text, zoneAtParse: this.#zone });
    this.#say('1');
  }

  #bind(portal: string, name: string, body: string): void {
    const prepared = this.#find(name);
    this.#refuseInFailed(prepared.text);
    const wanted = prepared.text.includes('$1') ? 1 : 0;
    const values = valuesOf(Buffer.from(body, 'latin1'), portal.length + name.length + 2);
    if (values.length !== wanted) {
      throw new ModelError('08P01', `bind message supplies ${values.length} parameters`);
    }
    if (portal !== '' && this.#portals.has(portal)) {
      throw new ModelError('42P03', `cursor "${portal}" already exists`);
    }
    this.state.begin();
    this.#portals.set(portal, { ...prepared, values, result: null, isDone: false, shown: 0 });
    this.#say('2');
  }

  #find(name: string): Prepared {
    const prepared = this.prepared.get(name);
    if (prepared !== undefined) return prepared;
    const what = name === '' ? 'unnamed prepared statement' : `prepared statement "${name}"`;
    throw new ModelError('26000', `${what} does not exist`);
  }

  #describe(kind: string, name: string): void {
    const of = kind === 'S' ? this.#find(name) : this.#portals.get(name);
    if (of === undefined) throw new ModelError('34000', `portal "${name}" does not exist`);
    if (returnsRows(of.text)) this.#refuseInFailed(of.text);
    if (kind === 'S') this.#say('t', of.text.includes('$1') ? '\0\x01\0\0\0\x19' : '\0\0');
    if (returnsRows(of.text)) this.#say('T', this.#columns(of.text));
    else this.#say('n');
  }

  #execute(name: string, rowsMax: number): void {
    const portal = this.#portals.get(name);
    if (portal === undefined) throw new ModelError('34000', `portal "${name}" does not exist`);
    if (portal.text === '') {
      this.#say('I');
      return;
    }
    this.#refuseInFailed(portal.text);
    if (portal.isDone) throw new ModelError('55000', `portal "${name}" cannot be run`);
    portal.isDone = !returnsRows(portal.text);
    this.state.begin();
    if (COPY_IN.test(portal.text)) {
      this.#beginCopy(false);
      return;
    }
    const copyOut = COPY_OUT.exec(portal.text);
    if (copyOut !== null) {
      this.#copyOut(copyOut[1] as string);
      return;
    }
    portal.result ??= runSql(portal.text, this.#around(portal.zoneAtParse), portal.values);
    const { rows, tag } = portal.result;
    const end = rowsMax > 0 ? portal.shown + rowsMax : Number.POSITIVE_INFINITY;
    const shown = (rows ?? []).slice(portal.shown, end);
    for (const row of shown) this.#row(row);
    portal.shown = Math.min(end, rows?.length ?? 0);
    if (rows !== null && end <= rows.length) this.#say('s');
    else this.#say('C', `${tag.replace(/^SELECT \d+$/, `SELECT ${shown.length}`)}\0`);
    if (!this.state.isInTransaction) this.#portals.clear();
  }

  #sync(): void {
    this.#isSkipping = false;
    this.#ready();
  }

  /** A transaction that no BEGIN has opened ends with its unit. */
  #ready(): void {
    if (!this.state.isBlock && this.state.isInTransaction) {
      if (this.state.isFailed) this.state.rollback();
      else this.state.commit();
    }
    if (!this.state.isInTransaction) this.#portals.clear();
    for (const [name, before] of this.#reported) {
      const now = this.state.setting(name) ?? '';
      if (now === before) continue;
      this.#reported.set(name, now);
      this.#say('S', `${name}\0${now}\0`);
    }
    this.#say('Z', this.state.isFailed ? 'E' : this.state.isBlock ? 'T' : 'I');
  }

  #refuseInFailed(text: string): void {
    if (!this.state.isFailed || endsTransaction(text)) return;
    throw new ModelError(
      '25P02',
      'current transaction is aborted, commands ignored until end of transaction block',
    );
  }

  #fail(error: unknown, isQuery: boolean): void {
    if (!(error instanceof ModelError)) throw error;
    this.#complain('E', 'ERROR', error.sqlstate, error.message);
    this.state.fail();
    if (isQuery) this.#ready();
    else this.#isSkipping = true;
  }

  #beginCopy(isQuery: boolean): void {
    this.#copy = { isQuery, data: '' };
    this.#say('G', '\0\0\x01\0\0');
  }

  #onCopy(code: string, body: string): void {
    const copy = this.#copy as { readonly isQuery: boolean; data: string };
    if (code === 'd') copy.data += body;
    if (code === 'd' || code === 'S' || code === 'H') return;
    this.#copy = null;
    if (code === 'c') {
      const marks = copy.data.split('\n').filter((mark) => mark !== '');
      this.state.insert(marks);
      this.#say('C', `COPY ${marks.length}\0`);
      if (copy.isQuery) this.#ready();
      return;
    }
    const [sqlstate, message] =
      code === 'f'
        ? ['57014', `COPY from stdin failed: ${body.slice(0, -1)}`]
        : ['08P01', 'unexpected message type during COPY from stdin'];
    this.#fail(new ModelError(sqlstate as string, message as string), copy.isQuery);
  }

  #copyOut(prefix: string): void {
    const rows = this.state.rowsLike(prefix);
    this.#say('H', '\0\0\x01\0\0');
    for (const mark of rows) this.#say('d', `${mark}\n`);
    this.#say('c');
    this.#say('C', `COPY ${rows.length}\0`);
  }

  get #zone(): string {
    return this.state.setting('TimeZone') ?? '';
  }

  #around(zoneAtParse: string): Surroundings {
    if (this.#hasSlept && this.cancelsNext) {
      this.cancelsNext = false;
      throw new ModelError('57014', 'canceling statement due to user request');
    }
    const { state, prepared } = this;
    const notice = (sqlstate: string, message: string) =>
      this.#complain('N', 'WARNING', sqlstate, message);
    return { state, prepared, zoneAtParse, notice };
  }

  #columns(text: string): string {
    return `\0\x01${text.slice(0, 12)}\0\0\0\0\0\0\0\0\0\0\x19\0\0\0\0\0\0\0\0`;
  }

  #row(values: readonly (string | null)[]): void {
    let body = int16(values.length);
    for (const value of values) {
      body += value === null ? '\xff\xff\xff\xff' : int32(value.length) + value;
    }
    this.#say('D', body);
  }

  #complain(code: string, severity: string, sqlstate: string, message: string): void {
    this.#say(code, `S${severity}\0V${severity}\0C${sqlstate}\0M${message}\0\0`);
  }

  #say(code: string, body = ''): void {
    const bytes = Buffer.allocUnsafe(HEADER + body.length);
    bytes.write(code, 0, 'latin1');
    bytes.writeUInt32BE(4 + body.length, 1);
    bytes.write(body, HEADER, 'latin1');
    this.#out.push(bytes);
  }
}

const int16 = (value: number): string => String.fromCharCode(value >> 8, value & 255);
const int32 = (value: number): string => int16(value >>> 16) + int16(value & 65_535);

/** The values of a Bind, behind its two names. */
function valuesOf(body: Buffer, start: number): string[] {
  let at = start + 2 + 2 * body.readInt16BE(start);
  const values: string[] = [];
  const count = body.readInt16BE(at);
  at += 2;
  for (let n = 0; n < count; n++) {
    const size = body.readInt32BE(at);
    values.push(body.toString('latin1', at + 4, at + 4 + Math.max(size, 0)));
    at += 4 + Math.max(size, 0);
  }
  return values;
}
