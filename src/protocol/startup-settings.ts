/** The settings that a client asks for as it connects. */
import type { GatewayError } from '../base/errors.ts';
import type { StartupPacket } from './startup.ts';
import { parseOptions } from './startup-options.ts';

export type StartupSettings = {
  /**
   * By lower-cased name, `options` first and overridden by the packet's own, as in PostgreSQL.
   * Names and values are as sent: only the server knows which are right.
   */
  readonly parameters: ReadonlyMap<string, string>;
  /** What is wrong with `options`, to be told when the server has taken what stands before it. */
  readonly problem: GatewayError | null;
};

export function settingsOf(packet: StartupPacket): StartupSettings {
  const parameters = new Map<string, string>();
  // As PostgreSQL compares names: letters of ASCII only.
  const put = (name: string, value: string): void => {
    const key = name.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
    parameters.set(key, value);
  };
  const { settings, problem } = parseOptions(packet.options ?? '');
  for (const { name, value } of settings) put(name, value);
  if (problem === null) for (const [name, value] of packet.parameters) put(name, value);
  return { parameters, problem };
}

/** As PostgreSQL cuts it. */
const APPLICATION_NAME_MAX = 63;

/** As PostgreSQL shows a name: with what is not printable ASCII replaced. */
export function asApplicationName(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, APPLICATION_NAME_MAX);
}
