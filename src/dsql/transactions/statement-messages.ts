/** An execution with another text than the client's, and so with other columns in its result. */
import { readUint16, readUint32 } from '../../base/bytes.ts';
import { encodeExecution } from './execution-messages.ts';
import type { Execution } from './transaction.ts';

/** The statement with one more column in its result, which is text. */
export function encodeWithColumn(execution: Execution, text: string): Buffer {
  const { bind } = execution;
  if (bind === null) return encodeExecution({ ...execution, text });
  const at = resultFormatsAt(bind);
  const count = readUint16(bind, at);
  // None is text for all, one is for all, and text and binary are the same for text.
  if (count < 2) return encodeExecution({ ...execution, text });
  const wider = Buffer.concat([bind, Buffer.alloc(2)]);
  wider.writeUInt16BE(count + 1, at);
  return encodeExecution({ ...execution, text, bind: wider });
}

/** Asks for the plan as JSON; nothing is run. */
export function encodeExplain(execution: Execution): Buffer {
  const text = `EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) ${execution.text}`;
  const { bind } = execution;
  if (bind === null) return encodeExecution({ ...execution, text });
  const parameters = Buffer.concat([bind.subarray(0, resultFormatsAt(bind)), Buffer.alloc(2)]);
  return encodeExecution({ ...execution, text, bind: parameters });
}

/** Where the formats of results begin in the content of Bind behind its names. */
function resultFormatsAt(bind: Buffer): number {
  let at = 2 + 2 * readUint16(bind, 0);
  const valueCount = readUint16(bind, at);
  at += 2;
  for (let n = 0; n < valueCount; n++) {
    const size = readUint32(bind, at) | 0;
    at += 4 + Math.max(size, 0);
  }
  return at;
}
