/** One session of the stand-in for Aurora DSQL, between its client and PostgreSQL. */
import type { Duplex } from 'node:stream';
import { ClientCode, ServerCode } from '../../src/protocol/codes.ts';
import type { DsqlStandIn } from './dsql.ts';
import { isCommit, judge, type Refused } from './dsql-statements.ts';

const CONFLICT: Refused = {
  sqlstate: '40001',
  message: 'change conflicts with another transaction (OC000)',
};
const SCHEMA_CHANGED: Refused = {
  sqlstate: '40001',
  message: 'schema has been updated by another transaction (OC001)',
};

/** Fails at COMMIT, and leaves nothing behind. */
const PROMISE_CONFLICT = `CREATE TEMP TABLE stand_in_conflict (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
  INSERT INTO stand_in_conflict VALUES (1), (1)`;

export class DsqlSession {
  readonly sinceMs: number;
  readonly #standIn: DsqlStandIn;
  readonly #client: Duplex;
  readonly #server: Duplex;
  #fromClient: Buffer = Buffer.alloc(0);
  #fromServer: Buffer = Buffer.alloc(0);
  /** Answers to what the stand-in has asked for itself are dropped up to a ReadyForQuery. */
  #dropsAnswer = false;
  /** The next error is the conflict that was promised. */
  #awaitsConflict = false;

  constructor(standIn: DsqlStandIn, client: Duplex, server: Duplex, sinceMs: number) {
    this.#standIn = standIn;
    this.#client = client;
    this.#server = server;
    this.sinceMs = sinceMs;
    client.on('data', (chunk: Buffer) => this.#onClient(chunk));
    server.on('data', (chunk: Buffer) => this.#onServer(chunk));
    for (const side of [client, server]) {
      side.on('error', () => {});
      side.once('close', () => this.cut());
    }
    client.once('end', () => server.end());
    server.once('end', () => client.end());
    client.resume();
    server.resume();
  }

  /** As after an hour: the connection ends, without a word. */
  cut(): void {
    this.#standIn.sessions.delete(this);
    this.#client.destroy();
    this.#server.destroy();
  }

  #onClient(chunk: Buffer): void {
    this.#fromClient = Buffer.concat([this.#fromClient, chunk]);
    for (let message = this.#take(); message !== null; message = this.#take()) {
      this.#server.write(this.#sent(message));
    }
  }

  #take(): Buffer | null {
    const [message, rest] = split(this.#fromClient);
    this.#fromClient = rest;
    return message;
  }

  /** What goes to PostgreSQL in the place of a message. */
  #sent(message: Buffer): Buffer {
    const code = message[0];
    if (code !== ClientCode.Query && code !== ClientCode.Parse) return message;
    const nameEnd = code === ClientCode.Parse ? message.indexOf(0, 5) + 1 : 5;
    const textEnd = message.indexOf(0, nameEnd);
    const text = message.toString('utf8', nameEnd, textEnd);
    this.#standIn.texts.push(text);
    const refused = this.#judge(text);
    if (refused === null) return this.#promised(text, message);
    this.#standIn.refused.push(text);
    const head = message.subarray(5, nameEnd);
    const body = Buffer.concat([head, Buffer.from(raising(refused)), message.subarray(textEnd)]);
    return framed(code, body);
  }

  #judge(text: string): Refused | null {
    const { parser, catalogue } = this.#standIn;
    if (this.#standIn.schemaChanges > 0) {
      this.#standIn.schemaChanges--;
      return SCHEMA_CHANGED;
    }
    return judge(text, parser, catalogue);
  }

  /** Has PostgreSQL fail at the COMMIT that comes, when a conflict is wanted. */
  #promised(text: string, message: Buffer): Buffer {
    if (this.#standIn.conflicts === 0 || !isCommit(text, this.#standIn.parser)) return message;
    this.#standIn.conflicts--;
    this.#dropsAnswer = true;
    this.#awaitsConflict = true;
    return Buffer.concat([framed(ClientCode.Query, Buffer.from(`${PROMISE_CONFLICT}\0`)), message]);
  }

  #onServer(chunk: Buffer): void {
    this.#fromServer = Buffer.concat([this.#fromServer, chunk]);
    const out: Buffer[] = [];
    for (;;) {
      const [message, rest] = split(this.#fromServer);
      this.#fromServer = rest;
      if (message === null) break;
      if (this.#dropsAnswer) this.#dropsAnswer = message[0] !== ServerCode.ReadyForQuery;
      else out.push(this.#told(message));
    }
    if (out.length > 0) this.#client.write(Buffer.concat(out));
  }

  #told(message: Buffer): Buffer {
    if (!this.#awaitsConflict || message[0] !== ServerCode.ErrorResponse) return message;
    this.#awaitsConflict = false;
    const { sqlstate, message: text } = CONFLICT;
    const fields = `SERROR\0VERROR\0C${sqlstate}\0M${text}\0\0`;
    return framed(ServerCode.ErrorResponse, Buffer.from(fields));
  }
}

function split(bytes: Buffer): [Buffer | null, Buffer] {
  const end = bytes.length < 5 ? Number.POSITIVE_INFINITY : 1 + bytes.readUInt32BE(1);
  return bytes.length < end ? [null, bytes] : [bytes.subarray(0, end), bytes.subarray(end)];
}

function framed(code: number, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head[0] = code;
  head.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([head, body]);
}

/** An error of PostgreSQL's own in the place of the text, with its effect on the transaction. */
function raising({ sqlstate, message }: Refused): string {
  const text = message.replaceAll("'", "''");
  return `DO $$BEGIN RAISE EXCEPTION USING ERRCODE='${sqlstate}', MESSAGE='${text}'; END$$`;
}
