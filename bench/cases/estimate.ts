/** How long a run takes, so that `--help` can say it. */
import type { BenchCase, Contestant, Setup } from './case.ts';

/** Building, and the server with its tables. */
const START_SECONDS = 15;

type Cost = {
  readonly warmUpSeconds: number;
  /** Of a measurement, beyond the time that it is told to take. */
  readonly extraSeconds: number;
  readonly isTimed: boolean;
};

const fixed = (extraSeconds: number): Cost => ({
  warmUpSeconds: 0,
  extraSeconds,
  isTimed: false,
});

function costOf({ subject }: Contestant): Cost {
  switch (subject.kind) {
    case 'load':
      // Every client logs in, which SCRAM makes dear on purpose.
      return {
        warmUpSeconds: 1.2 + subject.load.clients * 0.004,
        extraSeconds: 0.5 + subject.load.clients * 0.004,
        isTimed: true,
      };
    case 'strangers':
      return { warmUpSeconds: 0, extraSeconds: 1.5, isTimed: true };
    case 'logins':
      return { warmUpSeconds: 2, extraSeconds: 1, isTimed: false };
    case 'idle':
      return fixed(subject.isTls ? 45 : 15);
    case 'slow':
      return fixed(15);
    case 'failover':
      return fixed(12);
    case 'facts':
      return fixed(1);
  }
}

/** Seconds, on a machine that has little else to do. */
export function estimateSeconds(
  cases: readonly BenchCase[],
  setup: Setup,
  rounds: number,
  roundSeconds: number,
): number {
  let sum = START_SECONDS;
  for (const each of cases) {
    const times = Math.min(rounds, each.roundsMax);
    for (const contestant of each.contestants(setup)) {
      const { warmUpSeconds, extraSeconds, isTimed } = costOf(contestant);
      sum += warmUpSeconds + times * (extraSeconds + (isTimed ? roundSeconds : 0));
    }
  }
  return sum;
}
