/** Clients that write without a pause while a cluster fails over, and what became of each write. */
import type { AuroraCluster } from '../../src/embedded/aurora/aurora-cluster.ts';
import { askInstance } from './aurora.ts';
import type { TestGateway } from './gateway.ts';
import { nap } from './stage.ts';

/** After a refusal a client comes again this soon, as a careful one does. */
const AGAIN_MS = 10;

export type Told = {
  /** Numbers that the client was told are written. */
  readonly acknowledged: readonly number[];
  /** What clients were told instead, each text once. */
  readonly errors: ReadonlySet<string>;
};

export class FailoverLoad {
  readonly #gateway: TestGateway;
  readonly #acknowledged: number[] = [];
  readonly #errors = new Set<string>();
  readonly #clients: Promise<void>[];
  #lastNumber = 0;
  #isOver = false;

  constructor(gateway: TestGateway, clients = 4) {
    this.#gateway = gateway;
    this.#clients = Array.from({ length: clients }, () => this.#write());
  }

  /** Resolves when a write that began after this moment was acknowledged. */
  async nextWrite(): Promise<void> {
    const from = this.#lastNumber;
    while (!this.#acknowledged.some((number) => number > from)) await nap(5);
  }

  async stop(): Promise<Told> {
    this.#isOver = true;
    await Promise.all(this.#clients);
    return { acknowledged: this.#acknowledged, errors: this.#errors };
  }

  async #write(): Promise<void> {
    while (!this.#isOver) {
      try {
        const client = await this.#gateway.connect();
        try {
          while (!this.#isOver) {
            const number = ++this.#lastNumber;
            await client.rows(`INSERT INTO told VALUES (${number})`);
            this.#acknowledged.push(number);
          }
        } finally {
          await client.end();
        }
      } catch (error) {
        this.#errors.add((error as Error).message);
        await nap(AGAIN_MS);
      }
    }
  }
}

/** Those of the numbers that the writer does not have. */
export async function missingOf(
  cluster: AuroraCluster,
  numbers: readonly number[],
): Promise<number[]> {
  const rows = await askInstance(cluster, cluster.writer, 'SELECT n FROM told');
  const has = new Set(rows.map(({ n }) => n));
  return numbers.filter((number) => !has.has(number));
}
