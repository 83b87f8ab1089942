/** The rows of `COPY … FROM STDIN`, from the client to its link. */
import { MessageWriter } from '../../base/bytes.ts';
import type { Message } from '../../net/socket-reader.ts';
import { ClientCode } from '../../protocol/codes.ts';
import { SYNC } from '../../protocol/messages.ts';
import type { ServerLink } from '../server/server-link.ts';
import type { ClientPort } from './client-port.ts';

export class CopyIn {
  readonly #port: ClientPort;
  readonly #link: () => ServerLink | null;
  #isRunning = false;

  /** @param link that the COPY runs on */
  constructor(port: ClientPort, link: () => ServerLink | null) {
    this.#port = port;
    this.#link = link;
  }

  /**
   * The server waits for rows: from now on messages of the client go there, until it says that they
   * are all, or {@link end}.
   * @param isExtended the COPY was begun by Execute: the server waits for a Sync behind the rows
   */
  begin(isExtended: boolean): void {
    const link = this.#link();
    if (link === null || this.#isRunning) return;
    this.#isRunning = true;
    this.#port.flush();
    this.#pump(link, isExtended).catch(() => link.close());
  }

  /** The COPY is over, by an error perhaps: a message that comes now is none of its own. */
  end(): void {
    this.#isRunning = false;
  }

  async #pump(link: ServerLink, isExtended: boolean): Promise<void> {
    while (this.#isRunning) {
      const message = await this.#port.read();
      if (!this.#isRunning) return;
      if (message === null) {
        link.close();
        return;
      }
      const { code } = message;
      // As in PostgreSQL these two mean nothing in a COPY.
      if (code === ClientCode.Flush || code === ClientCode.Sync) continue;
      await link.send(code === ClientCode.CopyData ? frame(message) : last(message, isExtended));
      if (code !== ClientCode.CopyData) return;
    }
  }
}

function frame({ code, body }: Message): Buffer {
  return new MessageWriter(body.length + 5).begin(code).bytes(body).end().take();
}

/** CopyDone or CopyFail; whatever else comes in the middle of a COPY has it fail. */
function last(message: Message, isExtended: boolean): Buffer {
  const { code } = message;
  const isEnd = code === ClientCode.CopyDone || code === ClientCode.CopyFail;
  const reason = `unexpected message type 0x${code.toString(16)} during COPY from stdin`;
  const bytes = isEnd
    ? frame(message)
    : new MessageWriter().begin(ClientCode.CopyFail).cstring(reason).end().take();
  return isExtended ? Buffer.concat([bytes, SYNC]) : bytes;
}
