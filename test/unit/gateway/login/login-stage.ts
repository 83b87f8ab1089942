/** Listeners and raw clients of one test, all ended after it, and the steps of a login. */
import { afterEach, expect } from 'vitest';
import { ScramClient } from '../../../../src/auth/scram-client.ts';
import { deriveSaltedPassword } from '../../../../src/origin/login-derive.ts';
import {
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../../../../src/protocol/authentication.ts';
import { decodeErrorFields, type ErrorFields } from '../../../../src/protocol/error-response.ts';
import { type LoginBench, RawClient, startLoginBench } from './login-bench.ts';

export type LoginStage = {
  start(options?: Parameters<typeof startLoginBench>[0]): Promise<LoginBench>;
  client(port: number): RawClient;
};

/** To be called once, where tests are described. */
export function loginStageForEach(): LoginStage {
  const endings: (() => unknown)[] = [];
  afterEach(() => {
    for (const end of endings.splice(0).reverse()) end();
  });
  return {
    async start(options = {}) {
      const bench = await startLoginBench(options);
      endings.push(() => bench.close());
      return bench;
    },
    client(port) {
      const made = new RawClient(port);
      endings.push(() => made.socket.destroy());
      return made;
    },
  };
}

export const GSSENC = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]);
export const JOE: [string, string][] = [
  ['user', 'joe'],
  ['database', 'shop'],
];

export async function error(from: RawClient): Promise<ErrorFields> {
  const { code, body } = await from.message();
  expect(code).toBe('E');
  return decodeErrorFields(body, 0, body.length);
}

/** Goes through SCRAM up to the final message, and returns it with the messages seen. */
export async function exchange(from: RawClient, password: string): Promise<Buffer> {
  const offer = await from.message();
  expect(offer.body.toString('latin1')).toBe('\0\0\0\x0aSCRAM-SHA-256\0\0');
  const scram = new ScramClient('fyko+d2lbbFgONRv9qkxdawL');
  from.send(encodeSaslInitialResponse('SCRAM-SHA-256', scram.clientFirst()));
  const { body } = await from.message();
  expect(body.readUInt32BE(0)).toBe(11);
  const { salt, iterations } = scram.onServerFirst(body.subarray(4));
  expect(iterations).toBe(4096);
  const salted = await deriveSaltedPassword(password, salt, iterations);
  return encodeSaslResponse(scram.clientFinal(salted));
}
