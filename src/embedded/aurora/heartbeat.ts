/** Tells the instances, again and again, who writes and who is there. */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { AuroraNode } from './aurora-node.ts';
import { type ClusterNews, tellSql } from './shims.sql.ts';

const INTERVAL_MS = 1_000;
/** A reader tells each second what it has: it may seem to be so far behind, and a beat more. */
const GRACE_S = 2.5;
/** Places in the writer's log are remembered for so many beats. */
const PLACES_MAX = 4;

/** A node, and the ID that it goes by as a reader. */
export type Member = { readonly node: AuroraNode; readonly session: string };

/** A reader to which the writer sends its log. */
type Follower = {
  readonly name: string;
  readonly lagMs: number;
  /** When the writer had what it has; null where it has none of the places. */
  readonly currentS: number | null;
};

type Place = { readonly lsn: string; readonly atS: number };

export class Heartbeat {
  readonly #port: number;
  readonly #members: readonly Member[];
  readonly #seenS = new Map<AuroraNode, number>();
  /** When the writer had what each reader has, by its name. */
  readonly #currentS = new Map<string, number>();
  /** How far the writer's log went at the last beats. */
  #places: readonly Place[] = [];
  readonly #stopped = new AbortController();
  #writer: AuroraNode;
  #client: pg.Client | null = null;

  constructor(members: readonly Member[], writer: AuroraNode, port: number) {
    this.#members = members;
    this.#writer = writer;
    this.#port = port;
    void this.#run();
  }

  /** Tells at once of another writer, or of what else has changed. */
  async tell(writer: AuroraNode): Promise<void> {
    if (writer !== this.#writer) {
      this.#leave();
      this.#writer = writer;
      // What comes now is for all readers to come by.
      this.#currentS.clear();
      this.#places = [];
    }
    await this.#beat().catch(async () => {
      // The connection may be to a server that has been restarted since.
      this.#leave();
      await this.#beat();
    });
  }

  stop(): void {
    this.#stopped.abort();
    this.#leave();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await sleep(INTERVAL_MS, undefined, { ref: false, signal }).catch(() => {});
      // A writer that is down tells nothing, and is asked again.
      if (!signal.aborted) await this.#beat().catch(() => this.#leave());
    }
  }

  async #beat(): Promise<void> {
    if (!this.#writer.isHealthy) return;
    this.#client ??= await this.#connect();
    const client = this.#client;
    const { rows } = await client.query(
      `SELECT application_name AS name,
         COALESCE(extract(epoch FROM replay_lag) * 1000, 0)::float8 AS "lagMs",
         (SELECT max(place.at) FROM unnest($1::pg_lsn[], $2::float8[]) AS place (lsn, at)
           WHERE place.lsn <= replay_lsn) AS "currentS"
       FROM pg_stat_replication`,
      [this.#places.map(({ lsn }) => lsn), this.#places.map(({ atS }) => atS)],
    );
    await client.query(tellSql(this.#news(rows as Follower[])));
    const written = await client.query('SELECT pg_current_wal_lsn()::text AS lsn');
    const { lsn } = written.rows[0] as { lsn: string };
    this.#places = [...this.#places, { lsn, atS: Date.now() / 1_000 }].slice(-PLACES_MAX);
  }

  async #connect(): Promise<pg.Client> {
    const client = this.#writer.client(this.#port);
    await client.connect();
    // What is told is of no use to anybody who has to wait for it.
    await client.query('SET synchronous_commit = local');
    return client;
  }

  #news(followers: readonly Follower[]): ClusterNews {
    const nowS = Date.now() / 1_000;
    for (const { node } of this.#members) if (node.isHealthy) this.#seenS.set(node, nowS);
    const nodes = this.#members.map(({ node, session }) => ({
      id: node.name,
      session,
      seenS: this.#seenS.get(node) ?? 0,
      lagMs: node === this.#writer ? 0 : this.#lagMs(node.name, followers, nowS),
    }));
    return { writer: this.#writer.name, nodes };
  }

  /** PostgreSQL tells of no lag where nothing comes through: then it grows by the clock. */
  #lagMs(name: string, followers: readonly Follower[], nowS: number): number {
    const follower = followers.find((each) => each.name === name);
    const currentS = Math.max(follower?.currentS ?? 0, this.#currentS.get(name) ?? 0) || nowS;
    this.#currentS.set(name, currentS);
    const behindS = nowS - currentS;
    return behindS > GRACE_S ? behindS * 1_000 : (follower?.lagMs ?? 0);
  }

  #leave(): void {
    const client = this.#client;
    this.#client = null;
    void client?.end().catch(() => {});
  }
}
