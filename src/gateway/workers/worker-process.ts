import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import type { PurgeOutcome, PurgeTarget } from '../purge.ts';
import type { ConfigurationStatus } from '../status.ts';
import type { ToPrimary, ToWorker } from './messages.ts';

/** Answers are small; who does not answer by then is taken for stuck. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Somebody waits for the sum over all workers; one that is late is left out of it. */
const STATUS_TIMEOUT_MS = 1_000;
/** A worker that has missed so many beats gets no new connection while there are others. */
const LATE_BEATS = 2;

/**
 * What of the environment a worker is given: what Node, OpenSSL and the system's resolver read.
 * Secrets may stand in the rest, and come in messages where they are needed.
 */
const ENVIRONMENT: readonly RegExp[] = [
  /^(PATH|HOME|TZ|LANG|LC_\w+|TMPDIR)$/,
  /^(NODE|UV|SSL_CERT|OPENSSL)_\w+$/,
  /^(MILLRACE_DEBUG|NO_COLOR|FORCE_COLOR|RES_OPTIONS|LOCALDOMAIN|HOSTALIASES)$/,
];

/** What else AWS's SDK reads, which a worker is told in a message. */
const SECRET_ENVIRONMENT = /^AWS_\w+$/;

export function secretEnvironment(): Readonly<Record<string, string>> {
  const isSecret = ([name]: [string, string | undefined]) => SECRET_ENVIRONMENT.test(name);
  return Object.fromEntries(
    Object.entries(process.env)
      .filter(isSecret)
      .map(([name, value = '']) => [name, value]),
  );
}

type Answer = Extract<ToPrimary, { kind: 'done' | 'status' | 'purged' }>;

function isAnswer(message: ToPrimary): message is Answer {
  return message.kind === 'done' || message.kind === 'status' || message.kind === 'purged';
}

export type WorkerProgram = {
  /** The file that a worker runs, and its arguments, which hold no secret. */
  readonly path: string;
  readonly args: readonly string[];
};

export type WorkerEnd = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type WorkerEvents = {
  onMessage(worker: WorkerProcess, message: ToPrimary): void;
  /** It has ended, and everything it has sent was read. */
  onEnd(worker: WorkerProcess, end: WorkerEnd): void;
};

/** A worker as the primary process sees it. */
export class WorkerProcess {
  readonly number: number;
  readonly startedMs: number;
  readonly #child: ChildProcess;
  /** Who waits for an answer; null says that the worker has ended. */
  readonly #answers = new Map<number, (answer: Answer | null) => void>();
  #lastId = 0;
  /** Whether it takes connections. */
  isReady = false;
  /** It was told to end: what comes after that is no crash. */
  isLeaving = false;
  /** Whether it has ended. */
  isGone = false;
  /** Counted by the heartbeat, in a row. */
  missedBeats = 0;
  /** Why it cannot start, in its own words. */
  reason: string | null = null;

  /** @param boardFd of the board of writes, which becomes {@link BOARD_FD}; null without one */
  constructor(
    number: number,
    program: WorkerProgram,
    boardFd: number | null,
    events: WorkerEvents,
    nowMs: number,
  ) {
    this.number = number;
    this.startedMs = nowMs;
    this.#child = fork(program.path, [...program.args], {
      env: environmentOf(process.env),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc', boardFd ?? 'ignore'],
    });
    this.#child.on('message', (message: ToPrimary) => {
      if (isAnswer(message)) {
        this.#answers.get(message.id)?.(message);
      } else events.onMessage(this, message);
    });
    // A message that cannot be sent means that the worker ends, which is told below.
    this.#child.on('error', () => {});
    void this.#ended().then((end) => {
      this.isGone = true;
      this.isReady = false;
      for (const answer of this.#answers.values()) answer(null);
      events.onEnd(this, end);
    });
  }

  get processId(): number {
    return this.#child.pid ?? 0;
  }

  get isLate(): boolean {
    return this.missedBeats >= LATE_BEATS;
  }

  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => {});
  }

  /** Gives it a connection, of which this process keeps a copy until the worker has taken it. */
  sendSocket(message: ToWorker, socket: Socket): void {
    if (this.#child.connected) this.#child.send(message, socket, { keepOpen: true }, () => {});
  }

  /**
   * Asks, and waits for the answer: what is wrong, or null. Who has ended meanwhile has nothing
   * against it.
   */
  async ask(question: (id: number) => ToWorker): Promise<string | null> {
    const answer = await this.#answerTo(question, ANSWER_TIMEOUT_MS);
    if (answer === 'late') return `worker ${this.number} does not answer`;
    return answer?.kind === 'done' ? answer.problem : null;
  }

  /** What it has at work; nothing when it does not answer in time. */
  async status(): Promise<readonly ConfigurationStatus[]> {
    const answer = await this.#answerTo((id) => ({ kind: 'status', id }), STATUS_TIMEOUT_MS);
    return answer !== 'late' && answer?.kind === 'status' ? answer.rows : [];
  }

  /** Has it forget answers of its query cache. */
  async purge(configuration: string, target: PurgeTarget): Promise<PurgeOutcome> {
    const question = (id: number) => ({ kind: 'purge', id, configuration, target }) as const;
    const answer = await this.#answerTo(question, ANSWER_TIMEOUT_MS);
    if (answer !== 'late' && answer?.kind === 'purged') return answer.outcome;
    // With a worker its answers have gone.
    return { answers: 0, problem: answer === 'late' ? 'unanswered' : null };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #answerTo(
    question: (id: number) => ToWorker,
    timeoutMs: number,
  ): Promise<Answer | 'late' | null> {
    if (this.isGone) return null;
    const id = ++this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    const answer = await new Promise<Answer | 'late' | null>((resolve) => {
      this.#answers.set(id, resolve);
      timer = setTimeout(() => resolve('late'), timeoutMs);
      this.send(question(id));
    });
    clearTimeout(timer);
    this.#answers.delete(id);
    return answer;
  }

  async #ended(): Promise<WorkerEnd> {
    const disconnected = new Promise<void>((resolve) => {
      this.#child.once('disconnect', resolve);
    });
    const end = await new Promise<WorkerEnd>((resolve) => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }));
      this.#child.once('error', () => {
        if (this.#child.pid === undefined) resolve({ code: null, signal: null });
      });
    });
    if (this.#child.connected) await disconnected;
    return end;
  }
}

function environmentOf(all: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isGiven = (name: string) => ENVIRONMENT.some((pattern) => pattern.test(name));
  return Object.fromEntries(Object.entries(all).filter(([name]) => isGiven(name)));
}
