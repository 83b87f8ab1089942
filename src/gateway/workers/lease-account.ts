import type { OriginConfig } from '../../config/model.ts';
import type { EstablishedLink } from '../../origin/connect.ts';
import { LeaseHolder, type LeaseHolderHost } from '../../pool/lease-holder.ts';
import { departureOf } from '../links/departure.ts';
import type { CapacityUser, LinkCapacity, PoolName } from '../siblings.ts';
import type { ToPrimary } from './messages.ts';

export type LeaseAccountParts = {
  readonly number: number;
  readonly configuration: string;
  readonly pool: PoolName;
  readonly send: (message: ToPrimary) => void;
  /** Nothing of it is out any more. */
  readonly onEnded: (number: number) => void;
};

/** The leases of one pool of this worker: joins {@link LeaseHolder} with messages and sockets. */
export class LeaseAccount implements LinkCapacity, LeaseHolderHost {
  readonly holder = new LeaseHolder(this);
  readonly #parts: LeaseAccountParts;
  readonly #links = new Map<EstablishedLink, OriginConfig>();
  /** Links that are open, being opened or not yet gone. */
  #placesUsed = 0;
  #user: CapacityUser | null = null;
  #isClosed = false;

  constructor(parts: LeaseAccountParts) {
    this.#parts = parts;
    const { number, configuration, pool } = parts;
    parts.send({ kind: 'accountOpened', account: number, configuration, pool });
  }

  serve(user: CapacityUser): void {
    this.#user = user;
  }

  take(): boolean {
    const isTaken = this.holder.take();
    if (isTaken) this.#placesUsed++;
    return isTaken;
  }

  isOwed(isUnused: boolean): boolean {
    return this.holder.isOwed(isUnused);
  }

  onOpened(link: EstablishedLink, origin: OriginConfig): void {
    this.#links.set(link, origin);
    const { processId, encrypted, address } = link;
    const secretKey = Buffer.from(link.secretKey).toString('base64');
    const account = this.#parts.number;
    this.#parts.send({ kind: 'linkOpened', account, processId, secretKey, encrypted, address });
  }

  onOpenFailed(): void {
    this.#placesUsed--;
    this.holder.giveBack();
    this.#endIfOver();
  }

  onClosed(link: EstablishedLink, isElsewhere: boolean): void {
    const origin = this.#links.get(link);
    if (origin === undefined) return;
    this.#links.delete(link);
    this.holder.leave();
    if (isElsewhere) this.#free(link);
    else void departureOf(link, origin).then(() => this.#free(link));
  }

  tick(): void {
    this.holder.tick();
  }

  close(): void {
    this.#isClosed = true;
    this.holder.close();
    this.#endIfOver();
  }

  tellWant(total: number): void {
    this.#parts.send({ kind: 'wanted', account: this.#parts.number, total });
  }

  tellGiven(count: number): void {
    this.#parts.send({ kind: 'given', account: this.#parts.number, count });
  }

  wanted(): number {
    return this.#user?.lacking() ?? 0;
  }

  onCapacity(): void {
    this.#user?.onCapacity();
  }

  shedIdle(): void {
    this.#user?.shedIdle();
  }

  #free(link: EstablishedLink): void {
    const { number: account, send } = this.#parts;
    const { processId, address } = link;
    send({ kind: 'linkGone', account, processId, address });
    this.#placesUsed--;
    this.holder.free();
    this.#endIfOver();
  }

  #endIfOver(): void {
    if (this.#isClosed && this.#placesUsed === 0) this.#parts.onEnded(this.#parts.number);
  }
}
