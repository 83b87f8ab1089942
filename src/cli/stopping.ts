/** The way down: let work finish, then close, and never hang on either. */
import type { StopSignals } from './stop-signals.ts';

/** Closing that takes longer than this is given up: the process ends all the same. */
const CLOSE_MS_MAX = 20_000;

/** What a gateway offers to whoever ends it. */
export type Stoppable = {
  drain(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
};

/** Waits for `work`, at most `limitMs`; the timer does not outlive it. */
async function atMost(work: Promise<unknown>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Drains until done, `drainTimeoutMs` or a second signal; then closes. */
export async function stopGateway(
  gateway: Stoppable,
  drainTimeoutMs: number,
  signals: StopSignals,
): Promise<void> {
  const drained = gateway.drain(drainTimeoutMs);
  // When the second signal wins the race, a late failure of the drain means nothing any more.
  drained.catch(() => {});
  await Promise.race([drained, signals.second]);
  await atMost(gateway.close(), CLOSE_MS_MAX);
}

/** Ends what runs beside the gateway, with the same limit. */
export async function stopBeside(stop: () => Promise<void>): Promise<void> {
  await atMost(stop(), CLOSE_MS_MAX);
}
