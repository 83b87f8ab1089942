import type { GatewayError } from '../../base/errors.ts';
import type { Link } from '../../session/link.ts';
import { OwnQuery } from '../../session/own-query.ts';
import {
  isOwnSetting,
  quoteLiteral,
  type Settings,
  settingsChange,
  settingsChangeText,
} from '../../session/settings.ts';
import { LinkBorrower } from '../links/link-borrower.ts';

/** What the origin said to the settings that a client asked for at startup. */
export type IntroductionResult =
  | { readonly kind: 'accepted'; readonly settings: Settings }
  /** The fields of the origin's ErrorResponse, as a byte string. */
  | { readonly kind: 'refused'; readonly fields: string };

/**
 * Tries a client's startup settings on a link, so that a wrong one is refused at startup as
 * PostgreSQL does, and learns their canonical values, which the client is told.
 */
export class Introduction extends LinkBorrower {
  readonly #asked: Settings;
  readonly #resolve: (result: IntroductionResult) => void;
  readonly #reject: (error: GatewayError) => void;
  #link: Link | null = null;
  #checkIn: ((link: Link, isDirty: boolean) => void) | null = null;
  #change: OwnQuery | null = null;
  #values: OwnQuery | null = null;

  constructor(
    asked: Settings,
    checkIn: (link: Link, isDirty: boolean) => void,
    resolve: (result: IntroductionResult) => void,
    reject: (error: GatewayError) => void,
  ) {
    super();
    this.#asked = asked;
    this.#checkIn = checkIn;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onLink(link: Link): void {
    const change = settingsChange(link.settings, this.#asked);
    if (change === null) {
      this.#checkIn?.(link, false);
      this.#resolve({ kind: 'accepted', settings: this.#asked });
      return;
    }
    this.#link = link;
    link.owner = this;
    this.#change = new OwnQuery(settingsChangeText(change, link.rules));
    link.sendOwn(this.#change);
    const names = [...this.#asked.names()].filter(
      (name) => link.rules.settings === null || !isOwnSetting(name),
    );
    if (names.length > 0) {
      this.#values = new OwnQuery(valuesText(names));
      link.sendOwn(this.#values);
    }
    link.settings = this.#asked;
    link.port.flush();
  }

  onRefused(error: GatewayError): void {
    this.#reject(error);
  }

  onLinkLost(error: GatewayError): void {
    this.#reject(error);
  }

  onQuiet(): void {
    const link = this.#link as Link;
    link.owner = null;
    const refusal = this.#change?.error ?? this.#values?.error ?? null;
    if (refusal !== null) {
      this.#checkIn?.(link, true);
      this.#resolve({ kind: 'refused', fields: refusal });
      return;
    }
    let settings = this.#asked;
    for (const [name, value] of this.#values?.rows ?? []) {
      if (typeof name !== 'string' || typeof value !== 'string') continue;
      settings = settings.with(name, link.baseline.get(name) === value ? null : value);
    }
    link.settings = settings;
    this.#checkIn?.(link, false);
    this.#resolve({ kind: 'accepted', settings });
  }
}

function valuesText(names: readonly string[]): string {
  return names
    .map(quoteLiteral)
    .map((name) => `SELECT ${name},pg_catalog.current_setting(${name})`)
    .join(' UNION ALL ');
}
