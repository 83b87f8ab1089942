/** Measures cases round by round. */
import {
  type BenchCase,
  type Contestant,
  roundOrder,
  type Setup,
  type Subject,
} from './cases/case.ts';
import { measureLogins, warmUpLogins } from './clients/logins.ts';
import { FailoverMeter } from './failover/failover.ts';
import { LoadMeter } from './load/meter.ts';
import { measureIdle } from './memory/idle.ts';
import { measureSlow } from './memory/slow.ts';
import { microCases } from './micro/cases.ts';
import { type MicroCase, measureMicro } from './micro/harness.ts';
import { type CaseSummary, failedCase, type Measurement, summarize } from './report/bars.ts';
import { type Figures, figureTable } from './report/figures.ts';
import { StrangersMeter } from './strangers/strangers.ts';
import type { Scene } from './ways/scene.ts';

const FACTS_CASE = 'facts-200';
const FACTS_MS = 200;
const FACTS_WARM_UPS = 5;
const NS_PER_US = 1000;
/** Beyond what a measurement was told to take: then its case has failed, and the next one begins. */
const MEASURE_MS_MAX = 300_000;

export type Outcome = {
  readonly summaries: readonly CaseSummary[];
  readonly measurements: readonly Measurement[];
};

export type RunOptions = {
  readonly cases: readonly BenchCase[];
  readonly rounds: number;
  readonly roundSeconds: number;
  readonly setup: Setup;
  /** Tells somebody who waits how it goes. */
  say(text: string): void;
};

/** Knows how each kind of subject is measured. */
class Bench {
  readonly #scene: Scene;
  readonly #loads: LoadMeter;
  readonly #strangers: StrangersMeter;
  readonly #failovers: FailoverMeter;
  readonly #facts: MicroCase;

  private constructor(scene: Scene, facts: MicroCase) {
    this.#scene = scene;
    this.#loads = new LoadMeter(scene);
    this.#strangers = new StrangersMeter(scene);
    this.#failovers = new FailoverMeter(scene.scratch);
    this.#facts = facts;
  }

  static async make(scene: Scene): Promise<Bench> {
    const facts = (await microCases()).find(({ name }) => name === FACTS_CASE);
    if (facts === undefined) throw new Error(`there is no piece called ${FACTS_CASE}`);
    return new Bench(scene, facts);
  }

  stop(): Promise<void> {
    return this.#failovers.stop();
  }

  async warmUp(subject: Subject): Promise<void> {
    if (subject.kind === 'load') await this.#loads.warmUp(subject);
    else if (subject.kind === 'logins') await warmUpLogins(this.#scene, subject);
    else if (subject.kind === 'facts') measureMicro([this.#facts], FACTS_WARM_UPS, FACTS_MS);
  }

  async measure(subject: Subject, seconds: number): Promise<Figures> {
    switch (subject.kind) {
      case 'load':
        return this.#loads.measure(subject, seconds);
      case 'strangers':
        return this.#strangers.measure(subject, seconds);
      case 'logins':
        return measureLogins(this.#scene, subject);
      case 'idle':
        return measureIdle(this.#scene, subject);
      case 'slow':
        return measureSlow(this.#scene, subject);
      case 'failover':
        return this.#failovers.measure(subject);
      case 'facts': {
        const [result] = measureMicro([this.#facts], 1, FACTS_MS);
        return { factsUs: (result?.ns.median ?? Number.NaN) / NS_PER_US };
      }
    }
  }
}

/**
 * Measures every case. One that fails, or whose statements did not take the way that it is about,
 * has its reason for figures, and the others go on.
 */
export async function runCases(scene: Scene, options: RunOptions): Promise<Outcome> {
  const bench = await Bench.make(scene);
  try {
    return await measureCases(bench, options);
  } finally {
    await bench.stop();
  }
}

async function measureCases(bench: Bench, options: RunOptions): Promise<Outcome> {
  const measurements: Measurement[] = [];
  const summaries: CaseSummary[] = [];
  for (const each of options.cases) {
    const contestants = each.contestants(options.setup);
    try {
      const own = await measureCase(bench, each, contestants, options);
      measurements.push(...own);
      summaries.push(summarize(each, contestants, own));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      options.say(`${each.name} has failed: ${reason}`);
      summaries.push(failedCase(each, reason.replace(/\s+/g, ' ')));
    }
  }
  return { summaries, measurements };
}

async function measureCase(
  bench: Bench,
  { name, headline, roundsMax }: BenchCase,
  contestants: readonly Contestant[],
  { rounds, roundSeconds, say }: RunOptions,
): Promise<readonly Measurement[]> {
  const measurements: Measurement[] = [];
  const { digits, scale } = figureTable[headline];
  for (const { subject } of contestants) await bench.warmUp(subject);
  const roundCount = Math.min(rounds, roundsMax);
  for (let round = 0; round < roundCount; round++) {
    const told: string[] = [];
    for (const contestant of roundOrder(contestants, round)) {
      const figures = await inTime(
        bench.measure(contestant.subject, roundSeconds),
        MEASURE_MS_MAX + roundSeconds * 1000,
      );
      measurements.push({ caseName: name, contestant: contestant.name, round, figures });
      told.push(
        `${contestant.name} ${((figures[headline] ?? Number.NaN) * scale).toFixed(digits)}`,
      );
    }
    say(`${name} ${round + 1}/${roundCount}: ${told.join(', ')} (${figureTable[headline].title})`);
  }
  return measurements;
}

/** @throws Error when it takes longer; what was begun is ended with the scene */
async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`it took longer than ${Math.round(limitMs / 1000)} s`));
    }, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
