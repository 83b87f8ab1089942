/**
 * One world of the simulation: clients, the gateway's pure machines, model servers, and a network
 * that cuts, delays and dies, all driven by one seed. A world that goes wrong throws.
 */
import { GatewayError } from '../../src/base/errors.ts';
import type { PoolLimits } from '../../src/pool/pool.ts';
import { LEDGER_ENTRIES_MAX } from '../../src/session/ledger.ts';
import { Dice } from '../support/dice.ts';
import { SimClient } from './sim-client.ts';
import { type Lacks, SimGateway } from './sim-gateway.ts';

const CLIENTS_MAX = 5;
/** Once no more faults happen, everybody is served within so many turns. */
const CALM_TURNS_MAX = 60_000;
const TICK_TURNS = 40;

/** What a fault, or the wait behind clients that keep their links, may end a client with. */
const EXCUSES: ReadonlySet<string> = new Set([
  'MR_ORIGIN_LOST',
  'MR_ORIGIN_REFUSED',
  'MR_POOL_WAIT_TIMEOUT',
]);

/** What a world has come to. */
export type Outcome = { readonly turns: number; readonly answered: number; readonly lost: number };

export function runWorld(seed: number, lacks: Lacks = {}): Outcome {
  return new World(seed, lacks).run();
}

class World {
  readonly #seed: number;
  readonly #dice: Dice;
  readonly #table: string[] = [];
  readonly #gateway: SimGateway;
  readonly #clients: SimClient[] = [];
  readonly #isSessionMode: boolean;
  /** Faults are as likely as one in so many turns. */
  readonly #faultsOneIn: number;
  #toCome: number;
  #turns = 0;

  constructor(seed: number, lacks: Lacks) {
    const dice = new Dice(seed);
    this.#seed = seed;
    this.#dice = dice;
    this.#isSessionMode = dice.oneIn(8);
    this.#faultsOneIn = dice.pick([60, 300, 1_000_000]);
    this.#toCome = 2 + dice.below(CLIENTS_MAX - 1);
    const limits: PoolLimits = {
      linksMax: 1 + dice.below(3),
      waitersMax: 100,
      waitTimeoutMs: dice.pick([1_000, 60_000]),
      idleTimeoutMs: dice.pick([100, 100_000]),
      lifetimeMs: dice.pick([500, 1_000_000]),
    };
    this.#gateway = new SimGateway(limits, this.#table, lacks);
  }

  run(): Outcome {
    try {
      for (let at = 0; at < 400; at++) {
        this.#turn();
        if (this.#dice.oneIn(this.#faultsOneIn)) this.#fault();
      }
      this.#calm();
      for (const client of this.#clients) client.checkRows(this.#table);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const stories = this.#clients.map((one) => `  ${one.prefix}:\n    ${one.story}`).join('\n');
      throw new Error(`world ${this.#seed}, turn ${this.#turns}: ${reason}\n${stories}`, { cause });
    }
    const answered = this.#clients.reduce((sum, client) => sum + client.answered, 0);
    const lost = this.#clients.filter(({ error }) => error !== null).length;
    return { turns: this.#turns, answered, lost };
  }

  #turn(): void {
    const dice = this.#dice;
    const gateway = this.#gateway;
    this.#turns++;
    gateway.nowMs += dice.below(3);
    if (this.#toCome > 0 && dice.oneIn(6)) this.#arrive();
    if (gateway.opening > 0 && dice.oneIn(3)) gateway.opened(dice.below(100) / 100);
    if (this.#clients.length > 0) dice.pick(this.#clients).turn(dice);
    const links = [...gateway.links];
    if (links.length > 0) dice.pick(links).turn(dice, gateway.nowMs);
    if (this.#turns % TICK_TURNS === 0) gateway.tick();
    this.#check();
  }

  #arrive(): void {
    this.#toCome--;
    const number = this.#clients.length + 1;
    this.#clients.push(new SimClient(this.#gateway, number, this.#dice, this.#isSessionMode));
  }

  #fault(): void {
    const dice = this.#dice;
    const gateway = this.#gateway;
    const links = [...gateway.links];
    if (gateway.opening > 0 && dice.oneIn(2)) {
      gateway.openFailed(new GatewayError('MR_ORIGIN_REFUSED'));
    } else if (links.length > 0 && dice.oneIn(2)) {
      dice.pick(links).die(dice, gateway.nowMs);
    } else if (this.#clients.length > 0) {
      dice.pick(this.#clients).leave(dice.oneIn(2));
    }
  }

  /** No more faults: everybody is served, and goes; then the gateway is at rest. */
  #calm(): void {
    const end = this.#turns + CALM_TURNS_MAX;
    while (this.#toCome > 0 || this.#clients.some((client) => !client.isGone)) {
      this.#turn();
      // Whoever keeps a link to itself gives it up at the end.
      for (const client of this.#clients) if (client.isDone) client.leave(this.#dice.oneIn(2));
      if (this.#turns > end) throw new Error('somebody is never served');
    }
    for (let left = 4_000; left > 0 && !this.#isAtRest(); left--) this.#turn();
    this.#gateway.checkRest();
  }

  #isAtRest(): boolean {
    const { checkedOut, waiting, opening } = this.#gateway.pool.counts;
    return checkedOut + waiting + opening === 0 && this.#clients.every(({ isGone }) => isGone);
  }

  #check(): void {
    this.#gateway.checkBooks();
    for (const { link } of this.#gateway.links) {
      if (link.ledger.size > LEDGER_ENTRIES_MAX) throw new Error('the ledger is too long');
    }
    for (const { error, prefix } of this.#clients) {
      if (error !== null && !EXCUSES.has(error.code)) {
        throw new Error(`${prefix} was ended with ${error.code}: ${error.message}`);
      }
    }
  }
}
