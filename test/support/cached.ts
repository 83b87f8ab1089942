/** What tests of the cache ask again and again. */
import { type Reply, rowsOf, type WireClient } from './wire.ts';
import * as wire from './wire-messages.ts';

const ATTEMPTS_MAX = 200;
const PAUSE_MS = 10;
const SAME_MIN = 3;

export async function statusOf(client: WireClient): Promise<string> {
  const [row] = rowsOf(await client.ask('SHOW millrace.last_cache_status'));
  return row?.[0] ?? '';
}

export async function ask(
  client: WireClient,
  ...messages: readonly Uint8Array[]
): Promise<Reply[]> {
  client.send(...messages);
  return client.readReady();
}

/**
 * Asks until the answer comes from the cache: the catalogue must have been read, and the statement
 * resolved.
 */
export async function warm(
  client: WireClient,
  ...messages: readonly Uint8Array[]
): Promise<Reply[]> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const replies = await ask(client, ...messages);
    if ((await statusOf(client)) === 'hit') return replies;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`never a hit: ${await statusOf(client)}`);
}

/**
 * The status once the catalogue is known, the statement resolved, and the link given back that an
 * earlier statement left something on.
 */
export async function settledStatus(
  client: WireClient,
  ...messages: readonly Uint8Array[]
): Promise<string> {
  let status = '';
  for (let attempt = 0, same = 0; attempt < ATTEMPTS_MAX && same < SAME_MIN; attempt++) {
    await ask(client, ...messages);
    const before = status;
    status = await statusOf(client);
    same = status === before && status !== 'miss' ? same + 1 : 0;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  return status;
}

export const simple = (sql: string): Buffer => wire.query(sql);

/** Parse, Bind, Describe, Execute, Sync of the unnamed statement. */
export const extended = (
  sql: string,
  parameters: readonly wire.Value[] = [],
  resultFormats: readonly number[] = [],
  types: readonly number[] = [],
): Buffer =>
  Buffer.concat([
    wire.parse('', sql, types),
    wire.bind('', '', parameters, [], resultFormats),
    wire.describeMessage('P', ''),
    wire.execute(),
    wire.sync(),
  ]);

/** Every message, as its letter and its bytes. */
export const transcript = (replies: readonly Reply[]): string[] =>
  replies.map(({ code, body }) => `${code} ${body.toString('hex')}`);
