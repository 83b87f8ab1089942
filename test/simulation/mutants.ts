/**
 * Gateways that lack one protection each, to show that the simulation would notice. A mutant is put
 * in place for as long as some work takes; the machines themselves have no switches for this.
 */
import { type Consequence, Ledger } from '../../src/session/ledger.ts';
import { Link } from '../../src/session/link.ts';
import type { OwnQuery } from '../../src/session/own-query.ts';
import { Residue } from '../../src/session/residue.ts';
import type { Lacks } from './sim-gateway.ts';

export type Mutant = {
  readonly name: string;
  readonly lacks?: Lacks;
  /** Takes the protection away, and answers with what puts it back. */
  readonly install?: () => () => void;
};

/** Puts another method or getter into a class. */
function replace<T extends object>(
  prototype: T,
  key: keyof T,
  made: (old: PropertyDescriptor) => PropertyDescriptor,
) {
  const old = Object.getOwnPropertyDescriptor(prototype, key) as PropertyDescriptor;
  Object.defineProperty(prototype, key, { ...old, ...made(old) });
  return () => void Object.defineProperty(prototype, key, old);
}

const getter = (get: () => unknown) => (): PropertyDescriptor => ({ get });

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'what an error has skipped is not taken back',
    install: () =>
      replace(Ledger.prototype, 'push', ({ value }) => ({
        value(this: Ledger, owed: number, flags: number, consequence: Consequence | null) {
          const kept = consequence && { commit: () => consequence.commit(), rollback: () => {} };
          value.call(this, owed, flags, kept);
        },
      })),
  },
  {
    name: 'a link goes back in a transaction',
    install: () =>
      replace(
        Link.prototype,
        'isIdle',
        getter(function (this: Link) {
          return this.ledger.size === 0;
        }),
      ),
  },
  {
    name: 'settings of the next client are not sent',
    install: () =>
      replace(Link.prototype, 'sendOwn', ({ value }) => ({
        value(this: Link, query: OwnQuery) {
          if (Buffer.from(query.message).includes('set_config')) query.commit();
          else value.call(this, query);
        },
      })),
  },
  {
    name: 'nobody looks at what a client has left',
    install: () =>
      replace(
        Residue.prototype,
        'isSuspected',
        getter(() => false),
      ),
  },
  {
    name: 'an answer of the gateway’s own comes in the middle of another',
    install: () =>
      replace(Link.prototype, 'answerSynthetic', () => ({
        value(this: Link) {
          while (this.ledger.headIsSynthetic) {
            const code = this.ledger.takeSynthetic() === 10 ? '1' : '3';
            this.owner?.onReply(Buffer.from(`${code}\0\0\0\x04`, 'latin1'), 0, 5);
          }
        },
      })),
  },
  { name: 'a link changes hands with a cancel request on its way', lacks: { cancelWait: true } },
  { name: 'a link that may carry anything is not reset', lacks: { reset: true } },
];
