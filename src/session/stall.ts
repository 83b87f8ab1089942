/**
 * Why a session reads nothing from its client for now: it waits for a link, for its settings to be
 * acknowledged, for answers on which the next message depends, which is tried again whenever some
 * have come, or for the whole answer to what went over a shared link.
 */
export const Stall = { None: 0, Link: 1, Settings: 2, Answers: 3, Shared: 4 } as const;
export type Stall = (typeof Stall)[keyof typeof Stall];
