/**
 * A throw-away PostgreSQL of the system's in place of the embedded one, for the same tests: its
 * programs are in the directory that `MILLRACE_TEST_PG_BIN` names.
 */
import type { TestProject } from 'vitest/node';
import type {} from '../../support/global-pg.ts';
import { Cluster } from './cluster.ts';

let cluster: Cluster | null = null;

export async function setup(project: TestProject): Promise<void> {
  cluster = await Cluster.start(process.env['MILLRACE_TEST_PG_BIN'] ?? '');
  project.provide('postgres', cluster.login);
}

export async function teardown(): Promise<void> {
  await cluster?.stop();
}
