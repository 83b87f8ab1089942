import type { GatewayError } from '../../base/errors.ts';
import type { LinkOwner } from '../../session/link.ts';

/** An owner of a link for whom nothing but its own queries counts. */
export abstract class LinkBorrower implements LinkOwner {
  abstract onQuiet(): void;
  abstract onLinkLost(error: GatewayError): void;

  onReply(): void {}

  onRepliesEnd(): void {}

  onParameter(_name: string, _value: string): boolean {
    return false;
  }

  onLinkBlocked(): void {}

  onCancelsDone(): void {}

  rewriteError(): null {
    return null;
  }
}
