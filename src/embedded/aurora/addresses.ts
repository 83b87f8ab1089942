/** Where the servers of a cluster listen. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { embeddedFailure, errnoOf, messageOf } from '../failure.ts';

/** Of the network of this very machine, of which Linux has all addresses without more ado. */
const ADDRESS_PREFIX = '127.0.0.';
/** Where servers listen that something stands before. */
const SERVER_ADDRESS_PREFIX = '127.0.1.';
const FIRST_ADDRESS = 21;

/** Of an instance, and of its server where something stands before that. */
export type NodeAddresses = { readonly address: string; readonly serverAddress: string };

/** @param number of the instance, from 1 on */
export function addressesOf(number: number): NodeAddresses {
  const last = FIRST_ADDRESS + number - 1;
  return { address: ADDRESS_PREFIX + last, serverAddress: SERVER_ADDRESS_PREFIX + last };
}

/**
 * Makes sure that the machine has the addresses, before anything is made for servers there.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED`, which says which is missing and what to do
 */
export async function checkAddresses(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    const socket = createSocket('udp4');
    try {
      socket.bind(0, address);
      // Rejects when `error` comes first.
      await once(socket, 'listening');
    } catch (error) {
      if (errnoOf(error) !== 'EADDRNOTAVAIL') {
        throw embeddedFailure(`nothing can listen at ${address}`, messageOf(error), error);
      }
      throw embeddedFailure(
        `this machine has no address ${address}, at which an instance of the cluster is to be: ` +
          `add it, with "ip address add ${address}/8 dev lo" on Linux`,
      );
    } finally {
      socket.close();
    }
  }
}
