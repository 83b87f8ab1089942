/**
 * How workers share the connections that an origin allows to one configuration: the book of the
 * primary process. A lease is the right to one connection. Pure: it sends nothing and reads no
 * clock; {@link LeaseBookHost} does, and says the time.
 *
 * Wants and demands are told as totals since the beginning, never as differences, so that messages
 * that cross on their way cannot count anything twice: a member wants `wantTotal` grants in all,
 * and is asked to have given `idleTotal` (`mustTotal`) leases in all.
 *
 * Invariants: what is held, and what lingers after a death, never exceeds the limit, save after it
 * was lowered, and then nothing is granted; whoever holds nothing and wants is served after a
 * bounded number of turns.
 */

export type LeaseBookHost<Member> = {
  grant(member: Member, count: number): void;
  /**
   * Asks for leases back: up to `idleTotal` as far as links lie idle, up to `mustTotal` as soon as
   * links come back, whoever waits for them there.
   */
  demand(member: Member, idleTotal: number, mustTotal: number): void;
};

/**
 * Who holds something and waits for more has others asked after this long, which is longer than
 * wants are looked at again (50 ms): a link of its own often comes back sooner, and links that move
 * to and fro cost more than they give.
 */
const PATIENCE_MS = 75;
/** When there are fewer leases than members, each keeps one for so long before it passes on. */
const TURN_MS = 100;

type Account = {
  held: number;
  /** Granted since the beginning. */
  granted: number;
  /** Given back since the beginning. */
  given: number;
  wantTotal: number;
  wantSinceMs: number;
  /** When it last went from no lease to one. */
  heldSinceMs: number;
  idleTotal: number;
  mustTotal: number;
};

export class LeaseBook<Member> {
  readonly #host: LeaseBookHost<Member>;
  readonly #accounts = new Map<Member, Account>();
  #limit: number;
  /** Of members that died, until their connections are known to be gone. */
  #lingering = 0;

  constructor(host: LeaseBookHost<Member>, limit: number) {
    this.#host = host;
    this.#limit = limit;
  }

  /** May be below zero after the limit was lowered. */
  get free(): number {
    let used = this.#lingering;
    for (const { held } of this.#accounts.values()) used += held;
    return this.#limit - used;
  }

  get isEmpty(): boolean {
    return this.#accounts.size === 0 && this.#lingering === 0;
  }

  /** Whether somebody waits for a lease, or too many are out: {@link tick} is needed then. */
  get isUneasy(): boolean {
    return this.free < 0 || [...this.#accounts.values()].some((account) => wantOf(account) > 0);
  }

  heldBy(member: Member): number {
    return this.#accounts.get(member)?.held ?? 0;
  }

  join(member: Member): void {
    if (this.#accounts.has(member)) return;
    this.#accounts.set(member, {
      held: 0,
      granted: 0,
      given: 0,
      wantTotal: 0,
      wantSinceMs: 0,
      heldSinceMs: 0,
      idleTotal: 0,
      mustTotal: 0,
    });
  }

  /** The member wants that many grants in all, those included that it has had. */
  want(member: Member, total: number, nowMs: number): void {
    const account = this.#accounts.get(member);
    if (account === undefined) return;
    if (wantOf(account) === 0) account.wantSinceMs = nowMs;
    account.wantTotal = total;
    this.tick(nowMs);
  }

  /** Links are gone, and their leases come back. */
  give(member: Member, count: number, nowMs: number): void {
    const account = this.#accounts.get(member);
    if (account === undefined) return;
    account.held -= count;
    account.given += count;
    // Whoever has had its turn stands behind those who have not.
    if (account.held === 0) account.wantSinceMs = nowMs;
    this.tick(nowMs);
  }

  /**
   * The member is gone for good. Its leases are out until {@link settle} is told that its
   * connections are gone too; the answer is how many those are.
   */
  lose(member: Member, nowMs: number): number {
    const account = this.#accounts.get(member);
    if (account === undefined) return 0;
    this.#accounts.delete(member);
    this.#lingering += account.held;
    this.tick(nowMs);
    return account.held;
  }

  settle(count: number, nowMs: number): void {
    this.#lingering -= count;
    this.tick(nowMs);
  }

  setLimit(limit: number, nowMs: number): void {
    this.#limit = limit;
    this.tick(nowMs);
  }

  /** Grants what is free and asks for what is not; to be called often while it is uneasy. */
  tick(nowMs: number): void {
    this.#grantFree(nowMs);
    this.#askBack(nowMs);
  }

  #askBack(nowMs: number): void {
    const demands = this.#demands(nowMs);
    for (const [member, account] of this.#accounts) {
      const { idle, must } = demands.get(member) ?? NO_DEMAND;
      const idleTotal = account.given + idle;
      const mustTotal = account.given + must;
      // What was asked for and is fulfilled needs no word; anything else does.
      const isSame =
        Math.max(idleTotal, account.given) === Math.max(account.idleTotal, account.given) &&
        Math.max(mustTotal, account.given) === Math.max(account.mustTotal, account.given);
      account.idleTotal = idleTotal;
      account.mustTotal = mustTotal;
      if (!isSame) this.#host.demand(member, idleTotal, mustTotal);
    }
  }

  /** One by one to whoever holds least, so that members become equal. */
  #grantFree(nowMs: number): void {
    const grants = new Map<Member, number>();
    for (let free = this.free; free > 0; free--) {
      let best: [Member, Account] | null = null;
      for (const entry of this.#accounts) {
        if (wantOf(entry[1]) > 0 && (best === null || isNeedier(entry[1], best[1]))) best = entry;
      }
      if (best === null) break;
      const [member, account] = best;
      if (account.held === 0) account.heldSinceMs = nowMs;
      account.held++;
      account.granted++;
      grants.set(member, (grants.get(member) ?? 0) + 1);
    }
    for (const [member, count] of grants) this.#host.grant(member, count);
  }

  /** What to ask of whom. */
  #demands(nowMs: number): ReadonlyMap<Member, Demand> {
    const demands = new Map<Member, Demand>();
    if (!this.isUneasy) return demands;
    const accounts = [...this.#accounts.values()];
    const rivals = accounts.filter((account) => account.held > 0 || wantOf(account) > 0);
    const share = Math.floor((this.#limit - this.#lingering) / Math.max(1, rivals.length));
    let must = Math.max(0, -this.free);
    for (const account of rivals) must += entitledOf(account, share, nowMs);
    const turnsDue = share > 0 ? 0 : rivals.filter((one) => isStarving(one, nowMs)).length;
    const musts = this.#musts(must, share, turnsDue, nowMs);
    const unmet = accounts.reduce((sum, account) => sum + impatientWant(account, nowMs), 0);
    for (const [member, account] of this.#accounts) {
      const mustHere = musts.get(member) ?? 0;
      const ownWant = impatientWant(account, nowMs);
      const idle = Math.min(account.held, Math.max(mustHere, unmet - ownWant));
      if (idle > 0 || mustHere > 0) demands.set(member, { idle, must: mustHere });
    }
    return demands;
  }

  /** From whoever has more than its share, most first; and one each of those whose turn is over. */
  #musts(count: number, share: number, turns: number, nowMs: number): Map<Member, number> {
    const musts = new Map<Member, number>();
    const floor = this.free < 0 ? 0 : share;
    for (let left = count; left > 0; left--) {
      let best: Member | null = null;
      let mostLeft = floor;
      for (const [member, { held }] of this.#accounts) {
        const kept = held - (musts.get(member) ?? 0);
        if (kept > mostLeft) {
          mostLeft = kept;
          best = member;
        }
      }
      if (best === null) break;
      musts.set(best, (musts.get(best) ?? 0) + 1);
    }
    const inTurn = [...this.#accounts]
      .filter(([, { held, heldSinceMs }]) => held > 0 && nowMs - heldSinceMs >= TURN_MS)
      .sort(([, left], [, right]) => left.heldSinceMs - right.heldSinceMs);
    for (const [member] of inTurn.slice(0, turns)) {
      musts.set(member, Math.max(1, musts.get(member) ?? 0));
    }
    return musts;
  }
}

type Demand = { readonly idle: number; readonly must: number };
const NO_DEMAND: Demand = { idle: 0, must: 0 };

function wantOf({ wantTotal, granted }: Account): number {
  return Math.max(0, wantTotal - granted);
}

/** Whoever holds nothing is asked for at once; others first wait for a link of their own. */
function impatientWant(account: Account, nowMs: number): number {
  const isPatient = account.held > 0 && nowMs - account.wantSinceMs < PATIENCE_MS;
  return isPatient ? 0 : wantOf(account);
}

/** What a member lacks to its share, as far as it wants it. */
function entitledOf(account: Account, share: number, nowMs: number): number {
  return Math.max(0, Math.min(impatientWant(account, nowMs), share - account.held));
}

function isStarving(account: Account, nowMs: number): boolean {
  return account.held === 0 && wantOf(account) > 0 && nowMs - account.wantSinceMs >= TURN_MS;
}

function isNeedier(left: Account, right: Account): boolean {
  if (left.held !== right.held) return left.held < right.held;
  return left.wantSinceMs < right.wantSinceMs;
}
