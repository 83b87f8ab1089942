/** Builds indexes and validates constraints in the background, as the client's own role. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Clock, Random } from '../../base/time.ts';
import type { Deferred, Invoker } from '../deferred.ts';
import { DsqlError } from '../dsql-error.ts';
import type { PrivilegedLink } from '../server/privileged-link.ts';
import type { RoleLinks } from '../server/role-links.ts';
import { ServerError, type ServerLink } from '../server/server-link.ts';
import type { Job } from '../statements/judgement.ts';
import { AGE_MS_MAX, tooOld } from '../transactions/quotas.ts';
import { checkJobId, makeJobId } from './job-id.ts';
import { type JobPlan, planJob } from './job-plan.ts';
import { BEAT_MS, isUnfinished, JobRecords } from './job-records.ts';

/** Each takes a server process and much of the disk. */
const RUNNING_MAX = 2;
/** Those that wait among them. */
const JOBS_MAX = 50;
const POLL_MS = 500;
/** A new index is in the catalogue when its statement is answered, unless that takes longer. */
const SHOWN_MS_MAX = 1_000;
const SHOWN_POLL_MS = 20;
/** So often, and each time for so long, a quick job waits for who writes to its table. */
const QUICK_ATTEMPTS_MAX = 5;
const QUICK_LOCK_MS = 40;
const QUICK_PAUSE_MS = 60;

export type JobsOptions = {
  readonly privileged: PrivilegedLink;
  readonly links: Pick<RoleLinks, 'checkOut' | 'apply' | 'checkIn' | 'discard'>;
  /** Has idle transactions give way to what runs on the link, until the answer is called. */
  watchOver(link: ServerLink): () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

type Running = {
  readonly jobId: string;
  readonly plan: JobPlan;
  readonly role: string;
  readonly settings: ReadonlyMap<string, string>;
  readonly ended: Promise<boolean>;
  end(hasSucceeded: boolean): void;
  isStarted: boolean;
  /** While it runs. */
  link: ServerLink | null;
};

export class Jobs {
  readonly #options: JobsOptions;
  readonly #records: JobRecords;
  /** Those of this process that have not ended, in order; the first ones run. */
  readonly #jobs = new Map<string, Running>();
  /** Waits for jobs of other processes, each once. */
  readonly #polls = new Map<string, Promise<boolean | null>>();
  #runningCount = 0;
  #beater: NodeJS.Timeout | null = null;
  readonly #closed = new AbortController();

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#records = new JobRecords(options.privileged);
  }

  /** After the set-up of the roles: gives up the jobs of a process that is gone. */
  async start(): Promise<void> {
    await this.#records.beat([]);
    this.#beater ??= setInterval(() => void this.#beat(), BEAT_MS).unref();
  }

  /**
   * Finds out what is wrong with a statement; its job begins at the commit.
   *
   * @param text with neither ASYNC nor CONCURRENTLY
   * @throws DsqlError | ServerError
   */
  async prepare(
    job: Job,
    text: string,
    { role }: Invoker,
    settings: ReadonlyMap<string, string>,
  ): Promise<Deferred & { readonly jobId: string }> {
    this.#checkRoom();
    const plan = await this.#withLink(role, settings, (link) => planJob(link, job, text));
    const jobId = makeJobId(this.#options.random);
    return { jobId, commit: () => this.#begin(jobId, plan, role, settings) };
  }

  /**
   * @returns whether the job was done
   * @throws DsqlError for an id that is none, or when the job takes longer than a transaction may
   */
  async waitFor(jobId: string): Promise<boolean> {
    checkJobId(jobId);
    const timer = new AbortController();
    const { signal } = timer;
    const late = sleep(AGE_MS_MAX, 'late' as const, { signal, ref: false }).catch(
      () => 'late' as const,
    );
    try {
      const ended = this.#jobs.get(jobId)?.ended ?? this.#poll(jobId);
      const outcome = await Promise.race([ended, late]);
      if (outcome === 'late') throw tooOld(AGE_MS_MAX);
      if (outcome === null) throw new DsqlError('42704', `job ${jobId} does not exist`);
      return outcome;
    } finally {
      timer.abort();
    }
  }

  /** Gives up what runs: its records say so. */
  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#beater !== null) clearInterval(this.#beater);
    const jobs = [...this.#jobs.values()];
    for (const job of jobs) {
      if (job.link !== null) this.#options.links.discard(job.link);
    }
    await Promise.all(jobs.map((job) => this.#end(job, 'the endpoint was stopped')));
  }

  #checkRoom(): void {
    if (this.#jobs.size < JOBS_MAX) return;
    throw new DsqlError('53400', `more than ${JOBS_MAX} jobs are waiting or running`);
  }

  async #begin(
    jobId: string,
    plan: JobPlan,
    role: string,
    settings: ReadonlyMap<string, string>,
  ): Promise<void> {
    this.#checkRoom();
    await this.#records.insert(jobId, plan);
    if (plan.sql === null) return;
    let end: (hasSucceeded: boolean) => void = () => {};
    const ended = new Promise<boolean>((resolve) => {
      end = resolve;
    });
    const job: Running = { jobId, plan, role, settings, ended, end, isStarted: false, link: null };
    this.#jobs.set(jobId, job);
    this.#runNext();
    if (plan.index !== null) await this.#untilShown(job, plan.index);
  }

  /** Runs as many as may run. */
  #runNext(): void {
    for (const job of this.#jobs.values()) {
      if (this.#runningCount >= RUNNING_MAX) return;
      if (!job.isStarted) void this.#run(job);
    }
  }

  async #run(job: Running): Promise<void> {
    const { plan, role, settings } = job;
    this.#runningCount++;
    job.isStarted = true;
    let failure: string | null = null;
    try {
      await this.#records.begin(job.jobId);
      await this.#withLink(role, settings, async (link) => {
        job.link = link;
        const endWatch = this.#options.watchOver(link);
        try {
          if (plan.quickSql !== null && (await doneQuickly(link, plan.quickSql))) return;
          await link.query(plan.sql ?? '');
        } finally {
          endWatch();
        }
      });
    } catch (error) {
      failure = detailsOf(error);
    }
    this.#runningCount--;
    if (!this.#closed.signal.aborted) await this.#end(job, failure);
    this.#runNext();
  }

  async #end(job: Running, failure: string | null): Promise<void> {
    const { jobId, plan } = job;
    const { log } = this.#options;
    const status = failure === null ? 'completed' : 'failed';
    try {
      if (plan.index !== null) await this.#records.noteIndex(jobId, plan.index);
      await this.#records.finish(jobId, status, failure ?? '');
    } catch (error) {
      const { message: reason } = error as Error;
      log.warn({ jobId, status, reason }, 'the end of a job could not be noted');
    }
    this.#jobs.delete(jobId);
    log.info({ jobId, type: plan.type, status }, 'a job has ended');
    job.end(failure === null);
  }

  /** Until the index can be seen in the catalogue, or the job has ended, or it takes too long. */
  async #untilShown(job: Running, index: string): Promise<void> {
    const { clock } = this.#options;
    const endMs = clock.nowMs() + SHOWN_MS_MAX;
    while (this.#jobs.has(job.jobId) && clock.nowMs() < endMs) {
      if (await this.#records.noteIndex(job.jobId, index)) return;
      await sleep(SHOWN_POLL_MS);
    }
  }

  /** Waits for a job that another process runs; null when there is none. */
  #poll(jobId: string): Promise<boolean | null> {
    const known = this.#polls.get(jobId);
    if (known !== undefined) return known;
    const poll = this.#pollNow(jobId).finally(() => this.#polls.delete(jobId));
    this.#polls.set(jobId, poll);
    return poll;
  }

  /** It ends: a job that nobody runs any more is given up by {@link JobRecords.beat}. */
  async #pollNow(jobId: string): Promise<boolean | null> {
    while (!this.#closed.signal.aborted) {
      const status = await this.#records.statusOf(jobId);
      if (!isUnfinished(status)) return status === null ? null : status === 'completed';
      await sleep(POLL_MS, undefined, { ref: false });
    }
    throw new GatewayError('MR_SHUTTING_DOWN');
  }

  async #withLink<T>(
    role: string,
    settings: ReadonlyMap<string, string>,
    work: (link: ServerLink) => Promise<T>,
  ): Promise<T> {
    const { links } = this.#options;
    const link = await links.checkOut(role);
    try {
      await links.apply(link, settings);
      return await work(link);
    } finally {
      if (link.isReusable) links.checkIn(link, settings);
      else links.discard(link);
    }
  }

  async #beat(): Promise<void> {
    try {
      await this.#records.beat([...this.#jobs.keys()]);
    } catch (error) {
      const { message: reason } = error as Error;
      this.#options.log.warn({ reason }, 'jobs could not be said to go on');
    }
  }
}

/**
 * An index that is built concurrently waits for every transaction that is older, be it one that
 * waits for the job. So a small table is indexed in one go, unless somebody is writing to it.
 *
 * @returns false when it was not done: then it is left to the other way to say what is wrong
 */
async function doneQuickly(link: ServerLink, sql: string): Promise<boolean> {
  await link.query(`SET lock_timeout = ${QUICK_LOCK_MS}`);
  try {
    for (let attempt = 1; attempt <= QUICK_ATTEMPTS_MAX; attempt++) {
      const sqlstate = await sqlstateOf(link, sql);
      if (sqlstate !== LOCK_NOT_AVAILABLE) return sqlstate === null;
      await sleep(QUICK_PAUSE_MS);
    }
    return false;
  } finally {
    if (link.isOpen) await link.query('RESET lock_timeout');
  }
}

const LOCK_NOT_AVAILABLE = '55P03';

/** What a statement fails with; null when it does not. */
async function sqlstateOf(link: ServerLink, sql: string): Promise<string | null> {
  try {
    await link.query(sql);
    return null;
  } catch (error) {
    if (error instanceof ServerError) return error.fields.sqlstate;
    throw error;
  }
}

/** As Aurora DSQL says it of a unique index; else PostgreSQL's own words. */
function detailsOf(error: unknown): string {
  if (!(error instanceof ServerError)) return (error as Error).message;
  const { sqlstate, message } = error.fields;
  const isDuplicate = sqlstate === '23505';
  return isDuplicate ? 'found duplicate key(s) while validating index uniqueness' : message;
}
