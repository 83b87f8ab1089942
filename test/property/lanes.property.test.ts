/** Lanes in front of model servers: whatever happens in whatever order, nobody gets a stranger's answer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/base/errors.ts';
import { Lanes, type LaneTaker } from '../../src/pool/lanes.ts';
import { Link, type LinkPort } from '../../src/session/link.ts';
import { Settings } from '../../src/session/settings.ts';
import { Estimate } from '../../src/session/sharing/estimate.ts';
import { SharedUnit, type UnitOwner } from '../../src/session/sharing/shared-unit.ts';
import { message, query } from '../support/wire-messages.ts';

const LINKS_MAX = 6;
const DEPTH_MAX = 3;
const HEDGE_MS = 20;
const ZONES = [
  Settings.NONE,
  Settings.NONE.with('timezone', 'Asia/Tokyo'),
  Settings.NONE.with('timezone', 'UTC').with('application_name', 'one'),
  // Not to be changed between units: those of others go elsewhere.
  Settings.NONE.with('app.tenant', 'a'),
];

const zeroed = (text: string): Buffer => Buffer.from(`${text}\0`);
const ready = message('Z', Buffer.from('I'));
const columns = message('T', Buffer.alloc(2));
const row = (text: string): Buffer => {
  const value = Buffer.from(text);
  const head = Buffer.from([0, 1, 0, 0, 0, value.length]);
  return message('D', Buffer.concat([head, value]));
};
const error = (code: string, severity = 'ERROR'): Buffer =>
  message('E', zeroed(`S${severity}\0V${severity}\0C${code}\0Mx\0`));

/** A server at the end of a link: it answers each Query with its text and the zone that is set. */
class ModelServer implements LinkPort {
  readonly link: Link;
  isPaused = false;
  isGone = false;
  /** Has seen something in a lane that may be other than it was judged. */
  isDoubted = false;
  #zone = '';
  readonly #asked: string[] = [];

  constructor() {
    this.link = new Link(this, new Map());
  }

  get isIdle(): boolean {
    return this.#asked.length === 0;
  }

  send(chunk: Uint8Array, start: number, end: number): void {
    this.#asked.push(Buffer.from(chunk.subarray(start + 5, end - 1)).toString('latin1'));
  }

  flush(): void {}

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
  }

  /** Answers what it was asked first, cut into pieces of a size; `failing` with an error. */
  answer(piece: number, failing: string | null): void {
    const text = this.#asked.shift();
    if (text === undefined || this.isGone) return;
    const zone = /E'timezone',E'([^']*)'/.exec(text)?.[1] ?? (text.startsWith('RESET') ? '' : null);
    const isRead = text.startsWith('read ');
    if (!isRead && zone !== null) this.#zone = zone;
    const result =
      isRead && failing !== null ? [error(failing)] : [columns, row(`${text} ${this.#zone}`)];
    const end = isRead && failing !== null ? [] : [message('C', zeroed('SELECT 1'))];
    const bytes = Buffer.concat([...result, ...end, ready]);
    for (let at = 0; at < bytes.length && !this.isGone; at += piece) {
      const part = bytes.subarray(at, at + piece);
      this.link.feed(part, 0, part.length);
    }
  }

  die(says: boolean): void {
    if (this.isGone) return;
    if (says) {
      const goodbye = error('57P01', 'FATAL');
      this.link.feed(goodbye, 0, goodbye.length);
    }
    this.isGone = true;
    const { owner } = this.link;
    this.link.owner = null;
    owner?.onLinkLost(new GatewayError('MR_ORIGIN_LOST'));
    this.link.ledger.clear();
  }
}

/** A client with one unit; what becomes of it. */
class Reader implements UnitOwner {
  readonly expected: string;
  readonly outcomes: string[] = [];
  unit: SharedUnit;
  got = '';

  constructor(id: number, settings: Settings) {
    const chunk = query(`read ${id}`);
    this.expected = `read ${id} ${settings.get('timezone') ?? ''}`;
    this.unit = new SharedUnit(this, chunk, null, settings, new Estimate());
  }

  onAnswer(chunk: Uint8Array, start: number, end: number): void {
    this.got += Buffer.from(chunk.subarray(start, end)).toString('latin1');
  }

  onAnswerPause(): void {}

  onAnswered(): void {
    const isError = this.got.startsWith('E');
    if (!isError) expect(this.got).toContain(this.expected);
    expect(this.got.match(/read \d+/g) ?? []).toHaveLength(isError ? 0 : 1);
    this.outcomes.push(isError ? 'error' : 'answered');
  }

  onUnanswered(): void {
    expect(this.got).toBe('');
    this.outcomes.push('alone');
  }

  onAnswerLost(): void {
    this.outcomes.push('lost');
  }

  rewriteAnswerError(): null {
    return null;
  }

  onMoved(unit: SharedUnit): void {
    this.unit = unit;
  }

  leave(): void {
    if (this.outcomes.length > 0) return;
    this.outcomes.push('left');
    if (this.unit.carrier === null) this.unit.owner = null;
    else this.unit.carrier.leave(this.unit);
  }
}

class World {
  nowMs = 0;
  demand = 0;
  readonly servers: ModelServer[] = [];
  readonly idle: ModelServer[] = [];
  readonly takers: LaneTaker[] = [];
  readonly readers: Reader[] = [];
  readonly lanes = new Lanes(
    {
      linkStatementsMax: 10,
      onResultTypeChanged: () => undefined,
      nowMs: () => this.nowMs,
      catchUp: () => undefined,
      demand: () => this.demand,
      checkOut: (taker) => this.#checkOut(taker),
      checkIn: (link, isDirty) => this.#checkIn(link, isDirty),
    },
    { depthMax: DEPTH_MAX, hedgeMs: HEDGE_MS, linksMax: LINKS_MAX },
  );

  #checkOut(taker: LaneTaker): Link | null {
    const server = this.idle.pop();
    if (server === undefined) this.takers.push(taker);
    return server?.link ?? null;
  }

  #checkIn(link: Link, isDirty: boolean): void {
    const server = link.port as ModelServer;
    expect(isDirty).toBe(server.isDoubted);
    server.isDoubted = false;
    expect(link.ledger.size).toBe(0);
    expect(link.owner).toBeNull();
    expect(server.isIdle && !server.isPaused && !server.isGone).toBe(true);
    const taker = link.unfit === null ? this.takers.shift() : undefined;
    if (taker !== undefined) taker.onLink(link);
    else if (link.unfit === null) this.idle.push(server);
    else server.isGone = true;
  }

  /** A link opens for whoever has waited longest. */
  open(): void {
    const taker = this.takers.shift();
    if (taker === undefined || this.servers.filter(({ isGone }) => !isGone).length >= LINKS_MAX) {
      if (taker !== undefined) this.takers.unshift(taker);
      return;
    }
    const server = new ModelServer();
    this.servers.push(server);
    taker.onLink(server.link);
  }

  check(): void {
    const { lanes } = this.lanes.counts;
    expect(lanes).toBeLessThanOrEqual(LINKS_MAX);
    for (const { link } of this.servers)
      expect(link.ledger.size).toBeLessThanOrEqual(4 * DEPTH_MAX);
    for (const { outcomes } of this.readers) expect(outcomes.length).toBeLessThanOrEqual(1);
  }

  /** Everything is answered in the end. */
  finish(): void {
    this.demand = 0;
    for (let turn = 0; turn < 2_000 && this.lanes.isBusy; turn++) {
      this.open();
      this.nowMs += 7;
      this.lanes.tick(this.nowMs);
      for (const server of this.servers) server.answer(1_000, null);
      if (turn === 1_999) throw new Error('somebody waits for ever');
    }
    for (const { outcomes } of this.readers) expect(outcomes).toHaveLength(1);
  }
}

type Step = (world: World) => void;

const index = fc.nat({ max: 30 });
const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % (list.length || 1)];
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.nat({ max: 9 }).map(
      (zone): Step =>
        (world) => {
          const settings = ZONES[zone < 6 ? 0 : zone - 6] as Settings;
          const reader = new Reader(world.readers.length, settings);
          world.readers.push(reader);
          world.lanes.submit(reader.unit);
        },
    ),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(index, fc.integer({ min: 1, max: 40 }), fc.constantFrom(null, null, null, '22012'))
      .map(
        ([at, piece, failing]): Step =>
          (world) => {
            const server = pick(world.servers, at);
            if (server?.isPaused === false) server.answer(piece, failing);
          },
      ),
  },
  { weight: 3, arbitrary: fc.constant<Step>((world) => world.open()) },
  {
    weight: 2,
    arbitrary: fc.nat({ max: 30 }).map(
      (ms): Step =>
        (world) => {
          const leftMs = world.lanes.untilSlowMs(world.nowMs);
          const { moved } = world.lanes.counts;
          world.nowMs += ms;
          world.lanes.tick(world.nowMs);
          if (ms < leftMs) expect(world.lanes.counts.moved).toBe(moved);
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(index, fc.boolean()).map(
      ([at, says]): Step =>
        (world) => {
          const server = pick(world.servers, at);
          if (server === undefined || world.idle.includes(server)) return;
          server.die(says);
        },
    ),
  },
  {
    weight: 2,
    arbitrary: index.map(
      (at): Step =>
        (world) =>
          pick(world.readers, at)?.leave(),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.nat({ max: 3 }).map(
      (demand): Step =>
        (world) => {
          world.demand = demand;
          world.lanes.onDemand();
        },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant<Step>((world) => {
      for (const server of world.servers) server.isDoubted ||= server.link.owner !== null;
      world.lanes.doubt();
      // Nothing that was sent is answered any more but what may be answered already.
      for (const { unit } of world.readers) {
        if (unit.owner !== null) expect(unit.carrier?.head).toBe(unit);
      }
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(index, fc.boolean()).map(
      ([at, isBlocked]): Step =>
        (world) => {
          const unit = pick(world.readers, at)?.unit;
          if (unit !== undefined && unit.owner !== null)
            unit.carrier?.onOwnerBlocked(unit, isBlocked);
          // It must not stay so, or its link would never be read again.
          if (unit !== undefined && isBlocked) unit.carrier?.onOwnerBlocked(unit, false);
        },
    ),
  },
);

describe('lanes', () => {
  it('give every unit one outcome, and nobody a stranger’s answer', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 120 }), (list) => {
        const world = new World();
        for (const step of list) {
          step(world);
          world.check();
        }
        world.finish();
        for (const { outcomes } of world.readers) {
          const outcome = outcomes[0] ?? '';
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }
      }),
      { numRuns: 1_000 },
    );
    for (const outcome of ['answered', 'error', 'alone', 'left']) {
      expect([outcome, (seen.get(outcome) ?? 0) > 10]).toEqual([outcome, true]);
    }
  });
});
