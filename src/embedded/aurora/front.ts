/**
 * What may stand before the instances of a cluster: PostgreSQL as it is packaged has no PAM, by
 * which RDS judges tokens of IAM. Who opens sockets is given in from above.
 */
import type { KeyPair } from '../certificates.ts';

/** An instance that something stands before. */
export type Fronted = {
  readonly name: string;
  /** The instance endpoint, and those of the cluster that may lead to it. */
  readonly host: string;
  readonly clusterEndpoints: readonly string[];
  readonly certificate: KeyPair;
  /** Where clients look for the instance. */
  readonly address: string;
  /** Where its server listens instead, at the same port. */
  readonly serverAddress: string;
  /** The path of the server's socket, where members of `rds_iam` are let in as they come. */
  socketPath(port: number): string;
  /** Whether a role is a member of `rds_iam`; false also for one that there is not. */
  isIamRole(user: string, port: number): Promise<boolean>;
};

export type AuroraFront = {
  /** The server runs. Rejects with the system's error when the port is taken at the address. */
  open(port: number): Promise<void>;
  /** The server has ended, and every connection ends with it. */
  close(): Promise<void>;
  /** Connections stay, and nothing is answered. */
  setFrozen(isFrozen: boolean): void;
};

export type FrontMaker = (instance: Fronted) => AuroraFront;
