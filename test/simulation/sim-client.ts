/**
 * A client of the simulation. Beside the gateway it has a PostgreSQL of its own, which it tells the
 * same: whatever it reads must be what that one says, to the byte. Reported parameters are left out,
 * since they may come earlier or later.
 */
import type { GatewayError } from '../../src/base/errors.ts';
import { Session } from '../../src/session/session.ts';
import type { SessionPort } from '../../src/session/session-host.ts';
import { Settings } from '../../src/session/settings.ts';
import type { Dice } from '../support/dice.ts';
import { ModelSession } from './model-session.ts';
import type { SimGateway } from './sim-gateway.ts';
import { BLOCKED_BYTES, Pipe, type SimLink } from './sim-link.ts';
import { type Author, type Burst, burstOf } from './sim-script.ts';

/** A link's chunk, and what the gateway itself may say at once, on top of what blocks. */
const UNREAD_BYTES_MAX = BLOCKED_BYTES + 2 * 65_536 + 65_536;
const CANCELLED = 'SERROR\0VERROR\0C57014\0Mcanceling statement due to user request\0\0';

export class SimClient implements SessionPort, Author {
  readonly prefix: string;
  readonly hasZone: boolean;
  readonly session: Session;
  /** What a fault may end it with. */
  error: GatewayError | null = null;
  /** Every burst has been answered in full. */
  answered = 0;
  readonly #own: ModelSession;
  readonly #table: string[] = [];
  readonly #up = new Pipe();
  readonly #down = new Pipe();
  readonly #told: string[] = [];
  /** The burst at hand, what is to be read for it and how much of that was. */
  #burst: Burst | null = null;
  #wanted: string | null = null;
  #read = '';
  /** Of a message that has not come as a whole. */
  #partial = '';
  #burstsLeft: number;
  /** How many rows it knows to be committed. */
  #toldRows = 0;
  #serial = 0;
  #isPaused = false;
  #isBlocked = false;
  #hasEnded = false;
  #wasCancelledWaiting = false;
  #arriving: (() => void) | null = null;
  #wantsCancel = false;

  constructor(gateway: SimGateway, number: number, dice: Dice, isSessionMode: boolean) {
    this.prefix = `c${number}`;
    this.hasZone = dice.below(3) > 0;
    this.#burstsLeft = 1 + dice.below(6);
    const startup = new Map<string, string>();
    if (this.hasZone) startup.set('timezone', `${this.prefix}/start`);
    if (dice.oneIn(2)) startup.set('application_name', this.prefix);
    if (dice.oneIn(4)) startup.set('work_mem', '9MB');
    let settings = Settings.NONE;
    for (const [name, value] of startup) settings = settings.with(name, value);
    this.#own = new ModelSession(this.#table, startup);
    this.session = new Session(gateway, this, settings, isSessionMode);
  }

  mark(): string {
    return `${this.prefix}.${this.#serial++}`;
  }

  get isGone(): boolean {
    return this.#hasEnded || this.session.isClosed;
  }

  /** Nothing is to be sent any more, and nothing to be read. */
  get isDone(): boolean {
    return this.isGone || (this.#burstsLeft === 0 && this.#burst === null);
  }

  /** The last bursts, for people. */
  get story(): string {
    return this.#told.slice(-4).join('\n    ');
  }

  turn(dice: Dice): void {
    this.#cancelTurn(dice);
    if (dice.below(3) === 0 && this.#burst === null && this.#burstsLeft > 0) this.#begin(dice);
    if (dice.below(4) > 0) this.#sendSome(dice);
    if (dice.below(4) > 0) this.#readSome(dice);
  }

  #begin(dice: Dice): void {
    this.#burstsLeft--;
    const burst = burstOf(dice, this);
    this.#burst = burst;
    this.#told.push(burst.told);
    this.#read = '';
    this.#wasCancelledWaiting = false;
    this.#wantsCancel = burst.isCancelled;
    this.#wanted = burst.isCancelled ? null : this.#answerOfOwn(burst);
    this.#up.push(burst.bytes);
  }

  #answerOfOwn({ bytes }: Burst): string {
    this.#own.receive(bytes);
    this.#own.run(Number.POSITIVE_INFINITY);
    return withoutParameters(this.#own.take().toString('latin1'));
  }

  #sendSome(dice: Dice): void {
    if (this.isGone || this.#isPaused || this.#isBlocked || this.#up.size === 0) return;
    if (this.session.wantsPause) return;
    this.session.feed(this.#up.take(dice));
  }

  #readSome(dice: Dice): void {
    if (this.#down.size === 0) return;
    this.#partial += this.#down.take(dice).toString('latin1');
    if (this.#down.size === 0 && this.#isBlocked) this.#setBlocked(false);
    const end = wholeMessages(this.#partial);
    this.#read += withoutParameters(this.#partial.slice(0, end));
    this.#partial = this.#partial.slice(end);
    this.#compare();
  }

  #compare(): void {
    if (this.#wanted === null) {
      if (this.#burst === null) {
        if (this.#read !== '') throw new Error(`${this.prefix} reads what it has not asked for`);
        return;
      }
      const readyBytes = 6;
      if (this.#read.at(-readyBytes) !== 'Z') return;
      this.#wanted = this.#answerOfCancelled(this.#burst);
    }
    if (this.#wanted === this.#read) {
      if (this.#arriving !== null) return;
      this.#burst = null;
      this.#wanted = null;
      this.#read = '';
      this.#wantsCancel = false;
      this.answered++;
      this.#toldRows = this.#table.length;
    } else if (!this.#wanted.startsWith(this.#read)) {
      const [wanted, read] = fromTheDifference(this.#wanted, this.#read);
      throw new Error(`${this.prefix} reads\n    ${read}\n  instead of\n    ${wanted}`);
    }
  }

  #answerOfCancelled(burst: Burst): string {
    if (this.#wasCancelledWaiting) return `${error(CANCELLED)}Z\0\0\0\x05I`;
    this.#own.cancelsNext = this.#read.includes('\0C57014\0');
    const answer = this.#answerOfOwn(burst);
    this.#own.cancelsNext = false;
    return answer;
  }

  /** As `gateway/database` does it, with its waits. */
  #cancelTurn(dice: Dice): void {
    if (this.#arriving !== null) {
      if (!dice.oneIn(16)) return;
      const arrive = this.#arriving;
      this.#arriving = null;
      arrive();
      this.#compare();
      return;
    }
    if (!this.#wantsCancel || this.#burst === null || this.isGone || !dice.oneIn(4)) return;
    const { link, isWaiting, isOwed } = this.session;
    if (!isOwed) return;
    if (isWaiting) {
      this.#wantsCancel = false;
      this.#wasCancelledWaiting = true;
      this.session.cancelWaiting();
    } else if (link !== null && link.ledger.size > 0 && !link.ledger.headIsOwn) {
      this.#wantsCancel = false;
      if (link.cancelsPending === 0) this.#arriving = (link.port as SimLink).cancel();
    }
  }

  /** Goes: politely, at the end of what it has sent, or without a word. */
  leave(isPolite: boolean): void {
    if (this.isGone) return;
    if (isPolite) this.session.endInput();
    else {
      this.#hasEnded = true;
      this.session.close();
    }
  }

  /**
   * What it has been told is committed is there, in order and once; of what it was not told about,
   * so much as was committed before the link or the client was lost.
   */
  checkRows(stored: readonly string[]): void {
    const mine = stored.filter((mark) => mark.startsWith(`${this.prefix}.`));
    const [own, told] = [this.#table, this.#toldRows];
    if (this.#burst === null && mine.length > told)
      throw new Error(`${mine} is more than is known`);
    if (mine.length < told || own.slice(0, mine.length).join() !== mine.join()) {
      throw new Error(`${this.prefix} has stored ${mine}, and was told of ${own.slice(0, told)}`);
    }
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    if (this.#hasEnded) return;
    this.#down.push(chunk.subarray(start, end));
    if (this.#down.size > UNREAD_BYTES_MAX) {
      throw new Error(`${this.#down.size} bytes wait for ${this.prefix}`);
    }
  }

  flush(): void {
    if (this.#down.size > BLOCKED_BYTES) this.#setBlocked(true);
  }

  pause(isPaused: boolean): void {
    this.#isPaused = isPaused;
  }

  resume(): void {}

  sendError(_error: GatewayError): void {
    this.#down.push(Buffer.from(error(CANCELLED), 'latin1'));
  }

  fail(failure: GatewayError): void {
    this.error = failure;
    this.end();
  }

  end(): void {
    this.#hasEnded = true;
  }

  #setBlocked(isBlocked: boolean): void {
    if (this.#isBlocked === isBlocked) return;
    this.#isBlocked = isBlocked;
    this.session.onClientBlocked(isBlocked);
  }
}

const error = (fields: string): string =>
  `E${String.fromCharCode(0, 0, 0, 4 + fields.length)}${fields}`;

function sizeAt(bytes: string, at: number): number {
  let size = 0;
  for (let n = 1; n <= 4; n++) size = size * 256 + bytes.charCodeAt(at + n);
  return size + 1;
}

/** Where the last whole message ends. */
function wholeMessages(bytes: string): number {
  let at = 0;
  while (bytes.length - at >= 5 && at + sizeAt(bytes, at) <= bytes.length) at += sizeAt(bytes, at);
  return at;
}

function withoutParameters(bytes: string): string {
  let kept = '';
  for (let at = 0; at < bytes.length; ) {
    const size = sizeAt(bytes, at);
    if (bytes[at] !== 'S') kept += bytes.slice(at, at + size);
    at += size;
  }
  return kept;
}

/** Both from a little before they part. */
function fromTheDifference(wanted: string, read: string): [string, string] {
  let at = 0;
  while (at < read.length && wanted[at] === read[at]) at++;
  const cut = (bytes: string) => JSON.stringify(bytes.slice(Math.max(0, at - 60), at + 200));
  return [cut(wanted), cut(read)];
}
