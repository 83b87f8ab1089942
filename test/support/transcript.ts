/** Scripts of client messages, how they are put on the wire, and what comes back, as text. */
import { fieldsOf, type Reply, type WireClient } from './wire.ts';
import { query, sync } from './wire-messages.ts';

/** Messages that are sent together, and how one knows that all their answers have come. */
export type Step = {
  readonly messages: readonly Buffer[];
  /** So many ReadyForQuery are awaited; by default one for each Sync, Query and FunctionCall. */
  readonly ready?: number;
  /** Or so many messages, for what a Flush brings out and for a COPY that waits for data. */
  readonly replies?: number;
};

export type Script = {
  readonly name: string;
  /** Run on the server itself before each run, so that every run finds the same. */
  readonly reset?: string;
  readonly steps: readonly Step[];
  /** The link stays with the client after it, so that nobody else can work between the steps. */
  readonly isPinned?: boolean;
  /** Why transaction mode does not do as PostgreSQL does: see the README. */
  readonly differs?: string;
};

/** How the messages of a step are put into writes; `script` puts all steps into one. */
export const WRITINGS = ['message', 'step', 'script', 'dribble', 'pieces'] as const;
export type Writing = (typeof WRITINGS)[number];

export const step = (...messages: readonly (Buffer | readonly Buffer[])[]): Step => ({
  messages: messages.flat(),
});

/** A step that ends without a ReadyForQuery, after so many messages of the server. */
export const partStep = (
  replies: number,
  ...messages: readonly (Buffer | readonly Buffer[])[]
): Step => ({ messages: messages.flat(), replies });

/** A step in which not every Sync or Query is answered. */
export const readyStep = (
  ready: number,
  ...messages: readonly (Buffer | readonly Buffer[])[]
): Step => ({ messages: messages.flat(), ready });

const readyOf = ({ messages, ready, replies }: Step): number =>
  replies !== undefined
    ? 0
    : (ready ?? messages.filter((one) => 'SQF'.includes(String.fromCharCode(one[0] ?? 0))).length);

const DRIBBLE = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const PIECES = [7, 4_001, 1, 65_536];
/** After the last step, this must be answered with nothing before it. */
const SENTINEL = 'SELECT $$the end$$';
const ENDED = 'the server has ended the connection';

/** Runs a script and returns what the server said, one line a message. */
export async function record(
  client: WireClient,
  script: Script,
  writing: Writing,
  betweenSteps: (lines: readonly string[]) => Promise<void> = async () => {},
): Promise<string[]> {
  const steps =
    writing !== 'script'
      ? script.steps
      : [
          {
            messages: script.steps.flatMap(({ messages }) => messages),
            ready: script.steps.reduce((sum, one) => sum + readyOf(one), 0),
          },
        ];
  const lines: string[] = [];
  for (const one of steps) {
    await write(client, one.messages, writing);
    if (!(await readAnswers(client, one, lines))) return lines;
    await betweenSteps(lines);
  }
  // A Sync first, because the script may end in a unit that an error has spoiled.
  client.send(sync(), query(SENTINEL));
  await readAnswers(client, { messages: [], ready: 2 }, lines);
  return lines;
}

/** False when the server has ended the connection. */
async function readAnswers(client: WireClient, one: Step, lines: string[]): Promise<boolean> {
  let readyLeft = readyOf(one);
  let repliesLeft = one.replies ?? 0;
  while (readyLeft > 0 || repliesLeft > 0) {
    const reply = await client.readOrEnd();
    if (reply === null) {
      lines.push(ENDED);
      return false;
    }
    lines.push(lineOf(reply));
    repliesLeft--;
    if (reply.code === 'Z') readyLeft--;
  }
  return true;
}

async function write(
  client: WireClient,
  messages: readonly Buffer[],
  writing: Writing,
): Promise<void> {
  if (writing === 'message') {
    for (const one of messages) {
      client.send(one);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } else if (writing === 'dribble') await client.dribble(Buffer.concat(messages), DRIBBLE);
  else if (writing === 'pieces') await client.dribble(Buffer.concat(messages), PIECES);
  else client.send(...messages);
}

/**
 * A message as text, byte by byte, but for two things that must differ: the process ID in a
 * NotificationResponse, and a line of PostgreSQL's source that the gateway does not know.
 */
export function lineOf({ code, body }: Reply): string {
  if (code === 'E' || code === 'N') {
    const { L: line, ...fields } = fieldsOf(body);
    const isKnown = line !== undefined && fields['R'] !== 'RevalidateCachedQuery';
    return `${code} ${JSON.stringify(isKnown ? { ...fields, L: line } : fields)}`;
  }
  const bytes = code === 'A' ? body.subarray(4) : body;
  return bytes.length > 2_000
    ? `${code} ${bytes.length} bytes, ${hash(bytes)}`
    : `${code} ${JSON.stringify(bytes.toString('latin1'))}`;
}

/** FNV-1a: only to tell two long messages apart. */
function hash(bytes: Buffer): number {
  let sum = 2_166_136_261;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 16_777_619) >>> 0;
  return sum;
}
