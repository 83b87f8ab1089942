import { type Link, type LinkOwner, LOST_STATEMENTS } from './link.ts';
import { OwnQuery } from './own-query.ts';
import { sendOwnUnit } from './own-unit.ts';
import { type Probe, Residue, TEMPORARY_OBJECT } from './residue.ts';
import type { SessionHost } from './session-host.ts';
import {
  isTrackedParameter,
  type Settings,
  settingsChange,
  settingsChangeText,
  settingsRestoreTexts,
} from './settings.ts';

/** Of a tenure that begins while the catalogue is changing. */
const UNSETTLED = -1;
const DRAWN = 'what was drawn from sequences on it cannot be forgotten';

/**
 * What a session has of its link from check-out to check-in: the settings that it brings along, and
 * what it leaves behind. Knows when the link may go, and in which state it goes.
 */
export class Tenure {
  readonly residue = new Residue();
  link: Link | null = null;
  /** The client's settings, which follow it from link to link. */
  settings: Settings;
  /** Why the link stays with the client outside transactions, for people. */
  pins: readonly string[] = [];
  readonly #host: SessionHost;
  readonly #isSessionMode: boolean;
  /** A change of settings under way; {@link isApplying} tells whether it must be waited for. */
  #change: OwnQuery | null = null;
  #isApplying = false;
  #probesPending = 0;
  /** A probe under way may find settings that decide what texts mean. */
  #probesMeaning = false;
  /** What the client asked for at startup: RESET goes back to these. */
  readonly #startup: Settings;
  #isRestoring = false;
  #hasForgottenSequences = false;
  /** Of the catalogue by which the statements of the tenure were judged. */
  #epoch = UNSETTLED;

  constructor(host: SessionHost, settings: Settings, isSessionMode: boolean) {
    this.#host = host;
    this.#startup = settings;
    this.settings = settings;
    this.#isSessionMode = isSessionMode;
  }

  /** Whether the client's messages must wait until the link has the client's settings. */
  get isApplying(): boolean {
    return this.#isApplying;
  }

  get hasStartup(): boolean {
    return this.#startup.size > 0;
  }

  /** Whether the link is being asked what the client has left on it. */
  get isProbing(): boolean {
    return this.#probesPending > 0;
  }

  /**
   * Whether the link takes the client's next message by now: not while a RESET may have to be put
   * right before it.
   */
  takesMore(link: Link): boolean {
    return !this.#isRestoring && !link.ledger.isFull;
  }

  /** Makes the link the owner's, with the client's settings on their way. */
  begin(link: Link, owner: LinkOwner): void {
    this.link = link;
    link.owner = owner;
    link.writes.hasWritten = false;
    this.#hasForgottenSequences = false;
    this.#epoch = this.#host.isCatalogueChanging ? UNSETTLED : this.#host.catalogueEpoch;
    link.closeExcess(this.#host.linkStatementsMax);
    if (this.#host.readsSequences && !this.#isSessionMode) this.forgetSequences(link);
    const change = settingsChange(link.settings, this.settings);
    if (change === null) return;
    this.#change = new OwnQuery(settingsChangeText(change, link.rules));
    this.#isApplying = !change.cannotFail;
    link.sendOwn(this.#change);
    link.settings = this.settings;
  }

  /**
   * {@link Settings.parseSignature} of what the link has when the next message arrives; null when
   * nobody knows.
   */
  get parseSignature(): string | null {
    const isHidden = this.residue.hidesMeaning || this.#probesMeaning;
    return isHidden && !this.#isSessionMode ? null : this.settings.parseSignature;
  }

  /**
   * Whether the last look at the link found temporary objects of the client's, or could not have
   * found all. They go before what others mean by the same name, but a statement that others have
   * prepared on the link the server does not understand anew for them.
   */
  get mayHoldTemporary(): boolean {
    return this.residue.permanent !== null || this.pins.includes(TEMPORARY_OBJECT);
  }

  /**
   * `currval` and `lastval` would tell what another client drew on this link. The server is made to
   * forget it, and says that there is no value yet. Once is enough: later values are the client's.
   */
  forgetSequences(link: Link): void {
    if (this.#hasForgottenSequences) return;
    this.#hasForgottenSequences = true;
    // Where it cannot be asked for, no link is lent again on which anybody may have drawn.
    if (!link.rules.forgetsSequences) return;
    link.sendOwn(new OwnQuery('DISCARD SEQUENCES'));
  }

  /**
   * A statement that takes a setting back to its default, see {@link Facts.resets}, has been sent:
   * the client's default is what it asked for at startup.
   */
  restoreStartup(resets: string): void {
    if (this.link === null) return;
    const set = [...this.#startup.entries()].filter(([name]) => resets === '' || name === resets);
    if (set.length === 0) return;
    sendOwnUnit(this.link, settingsRestoreTexts(set, this.link.rules));
  }

  /** A reported parameter has changed. */
  onParameter(name: string, value: string): void {
    if (!isTrackedParameter(name) || this.link === null) return;
    const key = name.toLowerCase();
    // What the client asked for at startup is not what it gets when its settings say nothing.
    const isSilent = this.#startup.get(key) === undefined && this.link.baseline.get(key) === value;
    this.settings = this.settings.with(key, isSilent ? null : value);
  }

  /** Nothing is owed any more; false when the server has refused the client's settings. */
  onQuiet(): boolean {
    const change = this.#change;
    this.residue.onQuiet();
    this.#change = null;
    this.#isApplying = false;
    this.#isRestoring = false;
    const isAsMeant = change === null || change.error === null;
    if (!isAsMeant && this.link !== null) this.link.unfit = 'it refused the settings of a client';
    return isAsMeant;
  }

  /**
   * Outside transactions and units, with nothing owed: gives the link back when nothing of the
   * client's is left on it, and first asks the server where that is in doubt.
   * @returns whether the link has left
   */
  settle(link: Link): boolean {
    if (this.residue.endTransaction()) this.#host.onCatalogueChanged();
    if (this.#isSessionMode) return false;
    if (this.#wasMisjudged()) this.residue.doubt();
    if (this.residue.isSuspected) {
      this.#ask(link);
      return false;
    }
    const { permanent } = this.residue;
    if (permanent !== null && this.pins.length === 0) this.#setPins([permanent]);
    if (this.pins.length > 0) return this.#stay(link);
    this.#detach(link);
    const { isDoubtful } = this.residue;
    this.residue.forgetDoubt();
    if (link.ledger.isAmbiguous) this.#host.discard(link, 'a COPY ended with an error');
    else if (this.#keepsDrawn(link)) this.#host.discard(link, DRAWN);
    else this.#host.checkIn(link, isDoubtful);
    return true;
  }

  /** Whether it has values of sequences that somebody may ask for, and cannot forget them. */
  #keepsDrawn(link: Link): boolean {
    return link.mayHaveDrawn && !link.rules.forgetsSequences && this.#host.readsSequences;
  }

  /** The link stays. Each Parse may have made a statement that nobody else will ever use. */
  #stay(link: Link): false {
    if (this.mayHoldTemporary) link.closeOldest(this.#host.linkStatementsMax);
    return false;
  }

  /** The link is gone by itself. A COMMIT that was not answered may have happened. */
  lose(): void {
    if (this.link !== null) this.#detach(this.link);
    if (this.residue.endTransaction()) this.#host.onCatalogueChanged();
    this.#change = null;
    this.#isApplying = false;
    this.#isRestoring = false;
    this.#setPins([]);
  }

  /**
   * The client is gone.
   * @param isUnfinished it has left in the middle of a message, or of a unit that lacks its Sync:
   * such a unit must not be committed, and only the end of the connection aborts it
   */
  abandon(isUnfinished: boolean): void {
    const wasPinned = this.pins.length > 0;
    this.#setPins([]);
    const { link, residue } = this;
    if (link === null) return;
    // A probe that was not read tells nothing, and neither does a change that was not confirmed.
    const isDirty =
      this.#isSessionMode ||
      !residue.isClean ||
      wasPinned ||
      this.#wasMisjudged() ||
      this.#change !== null ||
      this.isProbing;
    this.#detach(link);
    if (residue.endTransaction()) this.#host.onCatalogueChanged();
    if (isUnfinished || link.ledger.isCopyIn || link.ledger.isAmbiguous) {
      this.#host.discard(link, 'its client left in the middle');
    } else if (residue.permanent !== null) {
      this.#host.discard(link, residue.permanent);
    } else if (this.#keepsDrawn(link)) {
      this.#host.discard(link, DRAWN);
    } else {
      link.port.flush();
      this.#host.checkIn(link, isDirty);
    }
  }

  /**
   * Whether what has run was judged by a catalogue that may have become another one before the
   * server came to it: a view may call what it did not call before. True once for each change.
   */
  #wasMisjudged(): boolean {
    this.#host.catchUp();
    const { isCatalogueChanging, catalogueEpoch } = this.#host;
    if (isCatalogueChanging ? this.residue.isDoubtful : this.#epoch === catalogueEpoch)
      return false;
    this.#epoch = isCatalogueChanging ? UNSETTLED : catalogueEpoch;
    return true;
  }

  #ask(link: Link): void {
    const names = this.#host.customSettingNames();
    const { residue } = this;
    if (residue.touchesAny(this.#startup)) residue.suspectAll();
    this.#probesMeaning ||= residue.hidesPlan;
    const { originUser } = this.#host;
    const probe = residue.takeProbe(this.settings, names, originUser, link.rules);
    this.#isRestoring = probe.isWhole && this.#startup.size > 0;
    probe.onDone = () => this.#onAnswer(probe, link);
    this.#probesPending++;
    link.sendOwn(probe);
    link.port.flush();
  }

  #onAnswer(probe: Probe, link: Link): void {
    this.#probesPending--;
    this.#probesMeaning &&= this.isProbing;
    if (this.link !== link) return;
    if (probe.error !== null) {
      // Nobody knows what the link carries, so only this client may go on with it.
      this.residue.notePermanent('the state of the link is not known');
      return;
    }
    const found = probe.settingsFound(this.settings, link.baseline, this.#startup);
    this.settings = found;
    if (!probe.isWhole) return;
    const prepared = probe.statementsFound(link.statements);
    if (prepared !== null && prepared < link.statements.preparedCount) link.unfit = LOST_STATEMENTS;
    this.#restore(link, found);
    const { permanent } = this.residue;
    const pins = probe.pinsFound(link.statements);
    this.#setPins(permanent === null ? pins : [...pins, permanent]);
  }

  /** What the server has at its own default was reset: the client's default is another one. */
  #restore(link: Link, found: Settings): void {
    for (const [name, value] of this.#startup.entries()) {
      if (found.get(name) === undefined) this.settings = this.settings.with(name, value);
    }
    const change = settingsChange(found, this.settings);
    if (change === null) return;
    this.#change = new OwnQuery(settingsChangeText(change, link.rules));
    this.#change.isTold = true;
    link.sendOwn(this.#change);
    link.port.flush();
  }

  #detach(link: Link): void {
    this.link = null;
    link.owner = null;
    link.settings = this.settings;
  }

  #setPins(pins: readonly string[]): void {
    if (pins.length === 0 && this.pins.length === 0) return;
    this.pins = pins;
    this.#host.onPins(pins);
  }
}
