/**
 * Why a session reads nothing from its client for now: it waits for a link, for its settings to be
 * acknowledged, for answers on which the next message depends, which is tried again whenever some
 * have come, for the whole answer to what went over a shared link or may have gone to a reader, or
 * for what another client is being answered.
 */
export const Stall = {
  None: 0,
  Link: 1,
  Settings: 2,
  Answers: 3,
  Shared: 4,
  Read: 5,
  Reader: 6,
} as const;
export type Stall = (typeof Stall)[keyof typeof Stall];
