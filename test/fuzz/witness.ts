/**
 * A well-behaved client that shares the pool with those who are not: whatever they do, it gets its
 * own answers, in order, in time and without an error.
 */
import type { Dice } from '../support/dice.ts';
import type { TestGateway } from '../support/gateway.ts';
import { codesOf, errorsOf, rowsOf, type WireClient } from '../support/wire.ts';
import { bind, execute, parse, query, sync, unnamed } from '../support/wire-messages.ts';

/** Longer than anything that a stranger may hold up. */
const ANSWER_WITHIN_MS = 8_000;
/** No stranger ever sends or stores it, so none may read it. */
export const WITNESS = 'witness-';
const ZONES = ['Europe/Paris', 'America/Lima'];

export class Witness {
  readonly #gateway: TestGateway;
  readonly #dice: Dice;
  readonly #zone: string;
  readonly #name: string;
  #serial = 0;
  #knowsNamed = false;
  asked = 0;
  slowestMs = 0;

  constructor(gateway: TestGateway, dice: Dice, number: number) {
    this.#gateway = gateway;
    this.#dice = dice;
    this.#zone = ZONES[number % ZONES.length] as string;
    this.#name = `${WITNESS}${number}`;
  }

  /** Asks until told to stop; fails as soon as anything is not as it should be. */
  async run(isOver: () => boolean): Promise<void> {
    const client = await this.#gateway.connect({ TimeZone: this.#zone });
    while (!isOver()) {
      const startMs = performance.now();
      await this.ask(client);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startMs);
    }
    await client.end();
  }

  async ask(client: WireClient): Promise<void> {
    const mark = `${this.#name}.${this.#serial++}`;
    const state = "current_setting('TimeZone'), current_setting('search_path'), current_user";
    const wanted = [mark, this.#zone, '"$user", public', this.#gateway.direct.user];
    const kind = this.#dice.below(4);
    if (kind === 0) client.send(query(`SELECT '${mark}', ${state}`));
    else if (kind === 1) client.send(...unnamed(`SELECT $1::text, ${state}`, [mark]), sync());
    else if (kind === 2) {
      if (!this.#knowsNamed) client.send(parse('a', `SELECT $1::text, ${state}`));
      client.send(bind('', 'a', [mark]), execute(), sync());
    } else client.send(query('BEGIN'), query(`SELECT '${mark}', ${state}`), query('COMMIT'));
    const replies = await client.readReady(kind === 3 ? 3 : 1, ANSWER_WITHIN_MS);
    const codes = ['TDCZ', '12DCZ', this.#knowsNamed ? '2DCZ' : '12DCZ', 'CZTDCZCZ'][kind];
    this.#knowsNamed ||= kind === 2;
    const read = { codes: codesOf(replies), errors: errorsOf(replies), rows: rowsOf(replies) };
    const right = { codes, errors: [], rows: [wanted] };
    this.asked++;
    if (JSON.stringify(read) === JSON.stringify(right)) return;
    throw new Error(`${JSON.stringify(read)} instead of ${JSON.stringify(right)}`);
  }
}
