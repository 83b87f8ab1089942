/**
 * Work that is put off to the end of the event loop's turn, when everything that had arrived has
 * been read. Writing at once would wake the peer for every piece, and on a busy machine the peer
 * then takes the processor away in the middle of the turn.
 */

export type TurnTask = { atTurnEnd(): void };

let first: TurnTask[] = [];
let second: TurnTask[] = [];
let isScheduled = false;

/**
 * Calls `task.atTurnEnd` once at the end of this turn; urgent tasks come before all others. A task
 * asks again only after it was called.
 */
export function atTurnEnd(task: TurnTask, isUrgent: boolean): void {
  (isUrgent ? first : second).push(task);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(run);
}

function run(): void {
  const urgent = first;
  const others = second;
  first = [];
  second = [];
  isScheduled = false;
  for (const task of urgent) task.atTurnEnd();
  for (const task of others) task.atTurnEnd();
}
