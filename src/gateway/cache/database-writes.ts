import type { Log } from '../../base/log.ts';
import type { Clock } from '../../base/time.ts';
import type { ConfigurationConfig, OriginConfig } from '../../config/model.ts';
import type { Link } from '../../session/link.ts';
import { mayCommit } from '../../session/link-writes.ts';
import { originRules } from '../../session/origin-rules.ts';
import type { Judgement } from '../../session/residue.ts';
import type { Facts } from '../../sql/facts/facts.ts';
import type { SqlParser } from '../../sql/facts/parser.ts';
import type { Links } from '../links/links.ts';
import { livingProcesses } from '../links/server-processes.ts';
import type { News, Siblings } from '../siblings.ts';
import { CatalogueWatch } from '../statements/catalogue-watch.ts';
import type { ProcessLook } from './lost-writes.ts';
import type { OriginSubscriber, OriginWrites } from './origin-writes.ts';
import type { OriginWritesTable } from './origin-writes-table.ts';

/** The configuration, as far as it depends on the catalogue. */
export type WritesHost = {
  readonly config: ConfigurationConfig;
  readonly log: Log;
  /** What is under way on shared links was judged by a catalogue that is to change. */
  doubtShared(): void;
  /** What was learned by way of the catalogue counts no more. */
  forgetCatalogue(): void;
};

export type WritesParts = {
  readonly parser: SqlParser;
  readonly clock: Clock;
  readonly siblings: Siblings | null;
  readonly writes: OriginWritesTable;
};

/**
 * What the clients of one configuration write, by what is known of the catalogue of its database;
 * and what becomes of that catalogue, by these writes and by those of others.
 */
export class DatabaseWrites implements OriginSubscriber {
  readonly #host: WritesHost;
  readonly #links: Links;
  readonly #siblings: Siblings | null;
  readonly #table: OriginWritesTable;
  readonly #catalogue: CatalogueWatch;
  #origin: OriginWrites;
  #catalogueEpoch = 0;
  #readsSequences: boolean;

  constructor(host: WritesHost, links: Links, { parser, clock, siblings, writes }: WritesParts) {
    const { config, log } = host;
    this.#host = host;
    this.#links = links;
    this.#siblings = siblings;
    this.#table = writes;
    this.#origin = writes.join(config.origin, this);
    this.#readsSequences = siblings?.hasNews(config.name, 'sequences') ?? false;
    const onChanged = () => this.#origin.changeCatalogue();
    this.#catalogue = new CatalogueWatch(parser, links, clock, log, onChanged);
  }

  get origin(): OriginWrites {
    return this.#origin;
  }

  get processLook(): ProcessLook | null {
    const { log } = this.#host;
    if (this.lostWriteMs !== null) return null;
    return (processIds) => livingProcesses(this.#links, processIds, log);
  }

  get lostWriteMs(): number | null {
    return originRules(this.#host.config.origin.kind).lostWriteMs;
  }

  /** See {@link SessionHost.noteWrites}. */
  note(link: Link, facts: Facts | null): void {
    this.#origin.catchUp();
    if (link.ledger.owesReady || mayCommit(link.status, facts)) link.writes.noteCommit();
    if (facts === null) link.writes.add(this.#origin, 'all', false);
    else link.writes.add(this.#origin, this.#catalogue.writesOf(facts), facts.changesCatalogue);
  }

  judge(facts: Facts): Judgement {
    const judgement = this.#catalogue.judge(facts);
    if (judgement.readsSequences && !judgement.isDoubtful && !this.#readsSequences) {
      this.#readsSequences = true;
      this.#siblings?.tell(this.#host.config.name, 'sequences');
    }
    return judgement;
  }

  get readsSequences(): boolean {
    return this.#readsSequences;
  }

  get customSettingNames(): Iterable<string> {
    return this.#catalogue.customSettingNames;
  }

  get isCatalogueChanging(): boolean {
    return this.#origin.isCatalogueChanging;
  }

  get catalogueEpoch(): number {
    return this.#catalogueEpoch;
  }

  isCatalogueKnown(): boolean {
    return this.#catalogue.isKnown();
  }

  /** A client has changed it, or may have. */
  changeCatalogue(): void {
    this.#origin.changeCatalogue();
    this.#siblings?.tell(this.#host.config.name, 'catalogue');
  }

  /** As if it had been noticed here. */
  onNews(news: News): void {
    if (news === 'sequences') this.#readsSequences = true;
    else this.#origin.changeCatalogue();
  }

  onOriginCatalogueChanging(): void {
    this.#host.doubtShared();
  }

  onOriginCatalogueChanged(): void {
    this.#host.doubtShared();
    this.#catalogueEpoch++;
    this.#catalogue.invalidate();
    this.#host.forgetCatalogue();
  }

  /** Links of now go on writing to where they lead; no answer from there is given any more. */
  moveTo(origin: OriginConfig): void {
    this.#table.leave(this.#origin, this);
    this.#origin = this.#table.join(origin, this);
    this.#catalogue.invalidate();
  }

  /** To be called every now and then, while there are clients. */
  tick(nowMs: number): void {
    this.#catalogue.refreshIfDue(nowMs);
  }

  close(): void {
    this.#catalogue.close();
    this.#table.leave(this.#origin, this);
  }
}
