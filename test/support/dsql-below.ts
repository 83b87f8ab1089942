/** For tests of what is below the DSQL endpoint: origins and links of the test server. */
import { silentLog } from '../../src/base/log.ts';
import type { OriginConfig } from '../../src/config/model.ts';
import { parseOriginUrl } from '../../src/config/resolve-origin.ts';
import { openLink, type PostgresLink } from '../../src/dsql/server/postgres-link.ts';
import type { ReplySink } from '../../src/dsql/server/server-link.ts';

export const LINK_OPTIONS = { connectTimeoutMs: 10_000, log: silentLog };

export async function originOf(
  url: string,
  changes: Partial<OriginConfig> = {},
): Promise<OriginConfig> {
  const { origin } = await parseOriginUrl(url);
  return { ...origin, ...changes };
}

/** A link as whom the URL says. */
export async function linkTo(
  url: string,
  changes: Partial<OriginConfig> = {},
): Promise<PostgresLink> {
  const origin = await originOf(url, changes);
  return await openLink(origin, { role: origin.user, password: origin.password }, LINK_OPTIONS);
}

/** Keeps what it is given. */
export class KeptReplies implements ReplySink {
  readonly chunks: Buffer[] = [];

  take(messages: Buffer): void {
    this.chunks.push(messages);
  }

  get bytes(): number {
    return this.chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** The type bytes of the messages. Fails when a chunk is anything but whole messages. */
  get codes(): string {
    let codes = '';
    for (const chunk of this.chunks) {
      let at = 0;
      while (at < chunk.length) {
        codes += String.fromCharCode(chunk[at] as number);
        at += 1 + chunk.readUInt32BE(at + 1);
      }
      if (at !== chunk.length) throw new Error('a chunk ends within a message');
    }
    return codes;
  }
}
