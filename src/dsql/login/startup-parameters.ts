/** What a client may ask for as it connects, and what it is told of the server. */
import type { StartupPacket } from '../../protocol/startup.ts';
import { settingsOf } from '../../protocol/startup-settings.ts';
import { fixedSettings, refusedSetting } from '../statements/settings.ts';
import { CLUSTER_OPTION } from './cluster-name.ts';

/** As `options` names it: the reader of switches makes underscores of dashes. */
const CLUSTER_SETTING = CLUSTER_OPTION.replaceAll('-', '_');

/** The only database of a cluster. */
export const DATABASE = 'postgres';

export type AskedParameters = {
  /** The value of `amzn-cluster-id`, or null. */
  readonly clusterId: string | null;
  /** By name in small letters, as sent; names were not looked at. */
  readonly settings: ReadonlyMap<string, string>;
};

/** @throws GatewayError for switches in `options` that PostgreSQL does not know */
export function askedParameters(packet: StartupPacket): AskedParameters {
  const { parameters, problem } = settingsOf(packet);
  if (problem !== null) throw problem;
  const settings = new Map(parameters);
  const clusterId = settings.get(CLUSTER_SETTING) ?? settings.get(CLUSTER_OPTION) ?? null;
  settings.delete(CLUSTER_SETTING);
  settings.delete(CLUSTER_OPTION);
  return { clusterId, settings };
}

/** @throws DsqlError for the first that Aurora DSQL does not take */
export function checkParameters(settings: ReadonlyMap<string, string>): void {
  for (const [name, value] of settings) {
    const refused = refusedSetting(name, value);
    if (refused !== null) throw refused;
  }
}

/**
 * What every client is told behind AuthenticationOk, as PostgreSQL 16 tells it.
 * @param settings those of the client, with the values that PostgreSQL gave them
 */
export function toldParameters(
  role: string,
  settings: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const of = (name: string, standard: string): string => settings.get(name) ?? standard;
  return new Map([
    ['application_name', of('application_name', '')],
    ['client_encoding', 'UTF8'],
    ['DateStyle', of('datestyle', 'ISO, MDY')],
    ['default_transaction_read_only', 'off'],
    ['in_hot_standby', 'off'],
    ['integer_datetimes', 'on'],
    ['IntervalStyle', of('intervalstyle', 'postgres')],
    ['is_superuser', 'off'],
    ['server_encoding', 'UTF8'],
    ['server_version', fixedSettings.get('server_version') ?? ''],
    ['session_authorization', role],
    ['standard_conforming_strings', 'on'],
    ['TimeZone', of('timezone', 'UTC')],
  ]);
}
