/** What is kept of jobs, in `sys.job_records`: every process of the endpoint sees all of them. */
import type { PrivilegedLink } from '../server/privileged-link.ts';
import type { JobPlan } from './job-plan.ts';
import { JOBS_SHOWN } from './sys-schema.sql.ts';

/** A process says this often that its jobs go on. */
export const BEAT_MS = 15_000;
/** Jobs of which nobody has said so for this long are given up. */
const SILENCE = '60 seconds';

export type JobStatus = 'submitted' | 'processing' | 'completed' | 'failed';

/** Of those that have not ended. */
const UNFINISHED = "('submitted', 'processing')";

export const isUnfinished = (status: JobStatus | null): boolean =>
  status === 'submitted' || status === 'processing';

export class JobRecords {
  readonly #privileged: PrivilegedLink;

  constructor(privileged: PrivilegedLink) {
    this.#privileged = privileged;
  }

  async insert(jobId: string, plan: JobPlan): Promise<void> {
    const { type, classId, objectId, objectName, sql } = plan;
    await this.#privileged.query(
      `INSERT INTO sys.job_records
         (job_id, status, job_type, class_id, object_id, object_name)
       VALUES ($1, $2, $3, $4::oid, $5::oid, $6)`,
      [
        jobId,
        sql === null ? 'completed' : 'submitted',
        type,
        String(classId),
        String(objectId),
        objectName,
      ],
    );
  }

  /** It does not wait any more for those before it. */
  async begin(jobId: string): Promise<void> {
    await this.#privileged.query(
      `UPDATE sys.job_records SET status = 'processing', update_time = now()
       WHERE job_id = $1 AND status = 'submitted'`,
      [jobId],
    );
  }

  /** The end of a job. */
  async finish(jobId: string, status: JobStatus, details: string): Promise<void> {
    await this.#privileged.query(
      `UPDATE sys.job_records SET status = $2, details = $3, update_time = now()
       WHERE job_id = $1`,
      [jobId, status, details === '' ? null : details],
    );
  }

  /**
   * Notes the index that a job has begun to build.
   * @returns whether it is there
   */
  async noteIndex(jobId: string, index: string): Promise<boolean> {
    const { tag } = await this.#privileged.query(
      `UPDATE sys.job_records SET object_id = to_regclass($2)
       WHERE job_id = $1 AND to_regclass($2) IS NOT NULL`,
      [jobId, index],
    );
    return tag === 'UPDATE 1';
  }

  /** Null when there is no such job. */
  async statusOf(jobId: string): Promise<JobStatus | null> {
    const { rows } = await this.#privileged.query('SELECT status FROM sys.jobs WHERE job_id = $1', [
      jobId,
    ]);
    return (rows[0]?.[0] ?? null) as JobStatus | null;
  }

  /** Says that these go on, gives up those of processes that are gone, and forgets the old. */
  async beat(jobIds: readonly string[]): Promise<void> {
    await this.#privileged.query(
      'UPDATE sys.job_records SET update_time = now() WHERE job_id = ANY ($1)',
      [`{${jobIds.join(',')}}`],
    );
    await this.#privileged.query(
      `UPDATE sys.job_records SET status = 'failed', details = $1, update_time = now()
       WHERE status IN ${UNFINISHED} AND update_time < now() - interval '${SILENCE}'`,
      ['what ran the job has ended'],
    );
    await this.#privileged.query(
      `DELETE FROM sys.job_records
       WHERE status NOT IN ${UNFINISHED} AND update_time < now() - interval '${JOBS_SHOWN}'`,
    );
  }
}
