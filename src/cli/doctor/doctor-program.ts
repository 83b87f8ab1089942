/** Looks at a database step by step, and goes on as long as the steps before allow. */
import { lookup } from 'node:dns/promises';
import picocolors from 'picocolors';
import { GatewayError } from '../../base/errors.ts';
import { silentLog } from '../../base/log.ts';
import type { OriginConfig } from '../../config/model.ts';
import { parseOriginUrl } from '../../config/resolve-origin.ts';
import { type ProbeResult, probeOrigin } from '../../origin/probe.ts';
import { makeClient } from '../../store/connection.ts';
import { json } from '../config/print.ts';
import { readSecret } from '../config/secret-options.ts';
import type { Terminal } from '../terminal.ts';
import {
  adviceFor,
  bad,
  type Finding,
  good,
  type HostKind,
  hostKind,
  isPrivateAddress,
  look,
} from './findings.ts';
import { dsqlFindings, ofRoundTrip, serverFindings } from './server-checks.ts';
import { settledOrigin, verifiedOrigin } from './tls-modes.ts';

const PROBE_TIMEOUT_MS = 15_000;
const FAILED_EXIT_CODE = 1;

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // Connecting says it in its own words.
    return [];
  }
}

async function probe(origin: OriginConfig): Promise<ProbeResult | GatewayError> {
  try {
    return await probeOrigin(origin, PROBE_TIMEOUT_MS, silentLog);
  } catch (error) {
    return GatewayError.from(error);
  }
}

/** Whether the certificate would stand up to `verify-full`, when TLS is there at all. */
async function tlsFinding(origin: OriginConfig, result: ProbeResult, kind: HostKind) {
  if (!result.encrypted) {
    return look('TLS', 'the connection is not encrypted', 'use sslmode=verify-full, or require');
  }
  if (origin.sslmode === 'verify-full') return good('TLS', 'encrypted, the certificate is proven');
  const strict = await probe(await verifiedOrigin(origin));
  if (!(strict instanceof GatewayError)) {
    const fix = 'use sslmode=verify-full: it would succeed';
    return look('TLS', `encrypted; with sslmode=${origin.sslmode} anybody could be there`, fix);
  }
  const advice = adviceFor('MR_ORIGIN_TLS', strict.detail, kind, false);
  return look('TLS', `encrypted; the certificate cannot be proven (${strict.detail})`, advice);
}

async function inside(origin: OriginConfig, kind: HostKind) {
  const client = makeClient(origin);
  client.on('error', () => {});
  try {
    await client.connect();
    return await (kind === 'dsql' ? dsqlFindings(client) : serverFindings(client, kind));
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [bad('server', text, 'see the log of the server')];
  } finally {
    await client.end().catch(() => {});
  }
}

/** Everything that can be found out, in the order in which it was. */
export async function examine(origin: OriginConfig): Promise<readonly Finding[]> {
  const kind = origin.kind === 'dsql' ? 'dsql' : hostKind(origin.host);
  const addresses = await addressesOf(origin.host);
  const isPrivate = addresses.some(isPrivateAddress);
  const findings: Finding[] = [];
  if (addresses.length > 0) findings.push(good('name', addresses.join(', ')));
  if (kind === 'aurora-reader') {
    const fix = 'use the endpoint of type Writer for a configuration that writes';
    findings.push(look('endpoint', 'this is the reader endpoint of an Aurora cluster', fix));
  }
  const result = await probe(origin);
  if (result instanceof GatewayError) {
    const reason = result.detail === '' ? result.clientText : result.detail;
    const advice = adviceFor(result.code, result.detail, kind, isPrivate);
    return [...findings, bad('connection', reason, advice)];
  }
  findings.push(good('connection', `ready in ${result.connectMs.toFixed(1)} ms`));
  findings.push(await tlsFinding(origin, result, kind));
  findings.push(ofRoundTrip(result.queryMs));
  findings.push(...(await inside(settledOrigin(origin, result.encrypted), kind)));
  return findings;
}

function spell(findings: readonly Finding[], usesColor: boolean): string {
  const paint = picocolors.createColors(usesColor);
  const marks = {
    good: paint.green('ok'),
    'worth a look': paint.yellow('look'),
    bad: paint.red('BAD'),
  };
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, verdict, text, fix }) => {
    const mark = marks[verdict] + ' '.repeat(verdict === 'good' ? 4 : verdict === 'bad' ? 3 : 2);
    const plain = text.replace(/\p{Cc}+/gu, ' ');
    const head = `${mark}${check.padEnd(width)}  ${plain}`;
    return fix === '' ? [head] : [head, `${' '.repeat(8 + width)}${paint.dim(fix)}`];
  });
  return `${lines.join('\n')}\n`;
}

export async function runDoctor(
  args: { readonly url: string; readonly json?: boolean | undefined },
  terminal: Terminal,
): Promise<number> {
  const { origin, warnings } = await parseOriginUrl(readSecret(args.url, 'URL', terminal));
  for (const warning of warnings) terminal.err(`millrace: warning: ${warning}\n`);
  const findings = await examine(origin);
  terminal.out(args.json === true ? json(findings) : spell(findings, terminal.usesColor));
  return findings.some(({ verdict }) => verdict === 'bad') ? FAILED_EXIT_CODE : 0;
}
