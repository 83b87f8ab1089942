import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GatewayError } from '../../src/base/errors.ts';
import { Link, type LinkPort } from '../../src/session/link.ts';
import { postgresRules } from '../../src/session/origin-rules.ts';
import { Session } from '../../src/session/session.ts';
import type { SessionHost, SessionPort } from '../../src/session/session-host.ts';
import { Settings } from '../../src/session/settings.ts';
import { type Statement, statementKey } from '../../src/session/statements/statements.ts';
import { opaqueFacts } from '../../src/sql/facts/facts.ts';
import {
  bind,
  closeMessage,
  describeMessage,
  execute,
  flush,
  parse,
  sync,
} from '../support/wire-messages.ts';

/** The table that `one` reads: how often it was altered. */
type ModelTable = { version: number };

/** PostgreSQL's rules for prepared statements, and nothing else of PostgreSQL. */
class ModelServer {
  readonly #table: ModelTable;
  readonly #statements = new Map<string, { text: string; type: string }>();
  #portal: string | null = null;
  #skipping = false;

  constructor(table: ModelTable) {
    this.#table = table;
  }

  answer(bytes: Buffer): Buffer {
    const replies: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 1 + bytes.readUInt32BE(at + 1);
      const code = String.fromCharCode(bytes[at] as number);
      if (code === 'S') this.#skipping = false;
      if (!this.#skipping) replies.push(this.#message(code, bytes.subarray(at + 5, end)));
      at = end;
    }
    return Buffer.concat(replies);
  }

  #message(code: string, body: Buffer): Buffer {
    const [first = '', second = ''] = body.toString('latin1').split('\0');
    switch (code) {
      case 'P':
        return this.#parse(first, second);
      case 'B':
        return this.#bind(second);
      case 'D':
        return this.#describe(first.slice(1));
      case 'C':
        this.#statements.delete(first.slice(1));
        return reply('3');
      case 'E':
        return this.#execute();
      case 'H':
        return Buffer.alloc(0);
      default:
        this.#portal = null;
        return reply('Z', 'I');
    }
  }

  #parse(name: string, text: string): Buffer {
    if (name === '') this.#statements.delete('');
    if (text.startsWith('bad')) return this.#fail('42601', `syntax error in ${text}`);
    if (this.#statements.has(name)) {
      return this.#fail('42P05', `prepared statement "${name}" already exists`);
    }
    this.#statements.set(name, { text, type: this.#typeOf(text) });
    return reply('1');
  }

  /** The columns of a RowDescription; empty for what returns no rows. */
  #typeOf(text: string): string {
    if (text === 'two') return '';
    const column = text === 'one' ? `${text}${this.#table.version % 3}` : text;
    return `\0\x01${column}\0${'\x01'.repeat(18)}`;
  }

  #hasChanged({ text, type }: { text: string; type: string }): boolean {
    return this.#typeOf(text) !== type;
  }

  #bind(name: string): Buffer {
    const found = this.#statements.get(name);
    if (found === undefined) return this.#unknown(name);
    if (this.#hasChanged(found)) return this.#changed();
    this.#portal = `${found.text} as ${found.type}`;
    return reply('2');
  }

  #describe(name: string): Buffer {
    const found = this.#statements.get(name);
    if (found === undefined) return this.#unknown(name);
    const parameters = reply('t', '\0\0');
    if (this.#hasChanged(found)) return Buffer.concat([parameters, this.#changed()]);
    const rows = found.type === '' ? reply('n') : reply('T', found.type);
    return Buffer.concat([parameters, rows]);
  }

  #changed(): Buffer {
    const rest = 'Fplancache.c\0RRevalidateCachedQuery';
    return this.#fail('0A000', `cached plan must not change result type\0${rest}`);
  }

  #execute(): Buffer {
    if (this.#portal === null) return this.#fail('34000', 'portal "" does not exist');
    return Buffer.concat([reply('D', this.#portal), reply('C', 'SELECT 1\0')]);
  }

  #unknown(name: string): Buffer {
    return this.#fail(
      '26000',
      name === ''
        ? 'unnamed prepared statement does not exist'
        : `prepared statement "${name}" does not exist`,
    );
  }

  #fail(sqlstate: string, message: string): Buffer {
    this.#skipping = true;
    return reply('E', `SERROR\0VERROR\0C${sqlstate}\0M${message}\0\0`);
  }
}

function reply(code: string, body = ''): Buffer {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(code, 0, 'latin1');
  bytes.writeUInt32BE(4 + body.length, 1);
  bytes.write(body, 5, 'latin1');
  return bytes;
}

/** A link to a model server of its own. */
class ModelLink implements LinkPort {
  readonly link = new Link(this, new Map());
  readonly #server: ModelServer;
  #sent: Buffer[] = [];

  constructor(table: ModelTable) {
    this.#server = new ModelServer(table);
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    this.#sent.push(Buffer.from(chunk.subarray(start, end)));
  }

  flush(): void {}

  pause(): void {}

  /** The server reads all that was sent, and the link its answers. */
  turn(): void {
    while (this.#sent.length > 0) {
      const replies = this.#server.answer(Buffer.concat(this.#sent.splice(0)));
      this.link.feed(replies, 0, replies.length);
    }
  }
}

const clean = {
  effects: 0,
  reason: '',
  isDoubtful: false,
  readsSequences: false,
  mayDraw: false,
  isPure: false,
};

/** A configuration with some links, of which the caller chooses the next one. */
class World implements SessionHost {
  readonly rules = postgresRules;
  readonly readCache = null;
  readonly readers = null;

  readonly originUser = 'web';
  readonly sharing = null;
  readonly linkStatementsMax = 2;
  catalogueEpoch = 0;
  readonly isCatalogueChanging = false;
  catchUp(): void {}
  readonly readsSequences = false;
  readonly links: ModelLink[];
  next = 0;

  constructor(count: number, table: ModelTable) {
    this.links = Array.from({ length: count }, () => new ModelLink(table));
  }

  checkOut(): Link {
    return (this.links[this.next] as ModelLink).link;
  }

  withdraw(): void {}

  checkIn(_link: Link, isDirty: boolean): void {
    expect(isDirty).toBe(false);
  }

  discard(_link: Link, reason: string): void {
    expect.fail(`a link was discarded: ${reason}`);
  }

  factsOf(): never {
    throw new Error('no simple queries here');
  }

  statementOf(chunk: Uint8Array, start: number, end: number, settings: Settings): Statement {
    const body = Buffer.from(chunk.subarray(start, end));
    const signature = settings.parseSignature;
    const key = statementKey(signature, body.toString('latin1'));
    const known = this.#statements.get(key);
    if (known !== undefined) return known;
    const facts = { ...opaqueFacts(0, ''), ddl: false, unparsed: false };
    const statement = { key, signature, body, facts, described: null };
    this.#statements.set(key, statement);
    return statement;
  }

  readonly #statements = new Map<string, Statement>();

  restate(statement: Statement): Statement {
    return statement;
  }

  noteWrites(): void {}

  judge() {
    return clean;
  }

  customSettingNames(): string[] {
    return [];
  }

  onCatalogueChanged(): void {
    this.catalogueEpoch++;
    this.#statements.clear();
  }

  onResultTypeChanged(): void {
    this.#statements.clear();
  }

  onPins(): void {}

  showText(): null {
    return null;
  }

  showAnswer(): null {
    return null;
  }
}

/** What a client has read. */
class Screen implements SessionPort {
  seen = Buffer.alloc(0);

  send(chunk: Uint8Array, start: number, end: number): void {
    this.seen = Buffer.concat([this.seen, chunk.subarray(start, end)]);
  }

  flush(): void {}

  pause(): void {}

  resume(): void {}

  sendError(error: GatewayError): void {
    expect.fail(error.message);
  }

  fail(error: GatewayError): void {
    expect.fail(error.message);
  }

  end(): void {}
}

const name = fc.constantFrom('', 'a', 'b', 'millrace_s1');
const text = fc.constantFrom('one', 'two', 'three', 'bad');
const operation = fc.oneof(
  // Directly in front of its Bind, the unnamed statement is taken for one that is used once.
  fc.tuple(name, text).map(([to, what]) => Buffer.concat([parse(to, what), flush()])),
  name.map((from) => Buffer.concat([bind('', from), execute()])),
  name.map((of) => describeMessage('S', of)),
  name.map((of) => closeMessage('S', of)),
);
const unit = fc.array(operation, { minLength: 1, maxLength: 5 });
/** Units that a client sends ahead, in pieces between which its link's server may work. */
const burst = fc.record({
  client: fc.nat({ max: 2 }),
  /** Whether the table of `one` is altered before it. */
  alters: fc.integer({ min: 0, max: 3 }).map((dice) => dice === 0),
  link: fc.nat({ max: 1 }),
  units: fc.array(unit, { minLength: 1, maxLength: 4 }),
  pieces: fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 6 }),
});

/** It is some seconds of work, and many more on a machine with other work. */
const options = { timeout: 120_000 };

describe('prepared statements', () => {
  it(
    'read as if every client had a server of its own, on whatever link a unit runs',
    options,
    () => {
      fc.assert(
        fc.property(fc.array(burst, { maxLength: 20 }), (bursts) => {
          const table = { version: 0 };
          const world = new World(2, table);
          const own = Array.from({ length: 3 }, () => new ModelServer(table));
          const screens = own.map(() => new Screen());
          const sessions = screens.map(
            (screen) => new Session(world, screen, Settings.NONE, false),
          );
          for (const { client, alters, link, units, pieces } of bursts) {
            world.next = link;
            if (alters) {
              table.version++;
              world.onCatalogueChanged();
            }
            const bytes = Buffer.concat(units.flatMap((operations) => [...operations, sync()]));
            const screen = screens[client] as Screen;
            const before = screen.seen.length;
            const cuts = pieces.map(([cut, works]) => ({ end: cut % bytes.length, works }));
            cuts.push({ end: bytes.length, works: true });
            let at = 0;
            for (const { end, works } of cuts.sort((a, b) => a.end - b.end)) {
              (sessions[client] as Session).feed(Buffer.from(bytes.subarray(at, end)));
              at = end;
              if (works) for (const one of world.links) one.turn();
            }
            const wanted = (own[client] as ModelServer).answer(bytes);
            expect(screen.seen.subarray(before).toString('latin1')).toBe(wanted.toString('latin1'));
            expect((sessions[client] as Session).link).toBeNull();
          }
        }),
        { numRuns: 3_000 },
      );
    },
  );
});
