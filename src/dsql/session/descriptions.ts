/** What statements take and return, as PostgreSQL describes them. */
import { ServerCode } from '../../protocol/codes.ts';
import { NO_DATA } from '../../protocol/messages.ts';
import { TEXT } from '../../protocol/result.ts';
import { eachMessage } from '../server/link-messages.ts';
import type { ReplySink } from '../server/server-link.ts';
import type { JudgedStatement } from '../statements/judgement.ts';
import { encodeDescription } from '../transactions/execution-messages.ts';
import type { Transaction } from '../transactions/transaction.ts';
import { BOOLEAN, table } from './replies.ts';
import type { SessionSettings } from './session-settings.ts';
import { shown } from './shown.ts';

export type Description = {
  /** ParameterDescription. */
  readonly parameters: Uint8Array;
  /** RowDescription, all columns as text, or NoData. */
  readonly columns: Uint8Array;
};

/** More are forgotten, the oldest first. */
const DESCRIPTIONS_MAX = 256;

const NO_PARAMETERS = Buffer.of(ServerCode.ParameterDescription, 0, 0, 0, 6, 0, 0);

/** Of what takes no parameters and returns nothing. */
export const EMPTY_DESCRIPTION: Description = { parameters: NO_PARAMETERS, columns: NO_DATA };

/** Descriptions that hold for as long as catalogue and settings stay what they are. */
export class Descriptions {
  readonly #known = new Map<string, Description>();
  #context = '';

  /** @param context what a description depends on beside the statement */
  get(key: string, context: string): Description | null {
    if (context !== this.#context) this.#known.clear();
    this.#context = context;
    return this.#known.get(key) ?? null;
  }

  set(key: string, description: Description): void {
    if (this.#known.size >= DESCRIPTIONS_MAX) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    this.#known.set(key, description);
  }
}

/** Of what the endpoint answers itself; null for what PostgreSQL is to describe. */
export function ownDescription(
  { action }: JudgedStatement,
  settings: SessionSettings,
): Description | null {
  const returns = (columns: Uint8Array): Description => ({ parameters: NO_PARAMETERS, columns });
  switch (action.kind) {
    case 'show': {
      const value = shown(action.name, settings);
      return value === null ? null : returns(column(action.name));
    }
    case 'job':
      return returns(column('job_id'));
    case 'wait-for-job':
      return returns(table([{ name: 'succeeded', type: BOOLEAN }], []).description);
    case 'begin':
    case 'commit':
    case 'rollback':
    case 'set':
    case 'role':
    case 'prepare':
    case 'deallocate':
    case 'copy':
      return EMPTY_DESCRIPTION;
    default:
      return null;
  }
}

const column = (name: string): Buffer => table([{ name, type: TEXT }], []).description;

/** Asks PostgreSQL; whatever is wrong with the statement is thrown. */
export async function describe(
  transaction: Transaction,
  text: string,
  parameterTypes: readonly number[],
): Promise<Description> {
  const sink = new DescriptionSink();
  const messages = encodeDescription({ text, parameterTypes });
  await transaction.passThrough(messages, sink);
  return { parameters: sink.parameters, columns: sink.columns };
}

class DescriptionSink implements ReplySink {
  parameters: Uint8Array = NO_PARAMETERS;
  columns: Uint8Array = NO_DATA;

  take(messages: Buffer): void {
    eachMessage(messages, (code, start, end) => {
      const message = messages.subarray(start, end);
      if (code === ServerCode.ParameterDescription) this.parameters = message;
      if (code === ServerCode.RowDescription) this.columns = message;
    });
  }
}
