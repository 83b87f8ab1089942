/** From `[api]`, `[store]` and `[dsql]` to what the control plane starts with. */
import { isLoopback } from '../base/loopback.ts';
import { certificatesProblem, isPair, privateKeyProblem } from './certificates.ts';
import type { ConfigFiles } from './files.ts';
import { API_TOKEN_LENGTH_MIN } from './keys.ts';
import type { ApiConfig, ControlConfig, DsqlConfig, StoreConfig } from './model.ts';
import type { ProblemList } from './problems.ts';
import { resolveOrigin } from './resolve-origin.ts';
import type { FileApi, FileDsql, FileStore } from './schema.ts';

const DATA_DIR_DEFAULT = 'millrace-data';
const DSQL_DIR_DEFAULT = 'millrace-dsql';
const KEY_FILE_DEFAULT = 'file:millrace-store.key';

/** A certificate with its key, or null; both files were named, or none. */
async function resolvePair(
  given: { readonly tls_cert?: string | undefined; readonly tls_key?: string | undefined },
  path: readonly string[],
  files: ConfigFiles,
  problems: ProblemList,
): Promise<{ readonly cert: string; readonly key: string } | null> {
  const cert = await files.pem(given.tls_cert, [...path, 'tls_cert']);
  const key = await files.pem(given.tls_key, [...path, 'tls_key']);
  if ((given.tls_cert === undefined) !== (given.tls_key === undefined)) {
    problems.add([...path], 'tls_cert and tls_key need each other', 'give both or none');
  }
  if (cert === null || key === null) return null;
  const certProblem = certificatesProblem(cert);
  const keyProblem = privateKeyProblem(key);
  if (certProblem !== null) problems.add([...path, 'tls_cert'], `the file ${certProblem}`);
  if (keyProblem !== null) problems.add([...path, 'tls_key'], `the file ${keyProblem}`);
  if (certProblem === null && keyProblem === null && !isPair(cert, key)) {
    problems.add([...path, 'tls_key'], 'is not the key of tls_cert', 'name the matching files');
  }
  return { cert, key };
}

async function resolveApi(
  given: FileApi,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<ApiConfig> {
  const path = ['api'];
  const tls = await resolvePair(given, path, files, problems);
  const token = await files.secret(given.token, [...path, 'token']);
  if (token !== null && token.length < API_TOKEN_LENGTH_MIN) {
    const fix = 'make one with: openssl rand -hex 32';
    problems.add([...path, 'token'], `is shorter than ${API_TOKEN_LENGTH_MIN} characters`, fix);
  }
  if (given.tls_cert === undefined && !isLoopback(given.address)) {
    const what = 'is open to the network without TLS, and tokens would go over it in the clear';
    problems.add([...path, 'address'], what, 'give tls_cert and tls_key, or use 127.0.0.1');
  }
  return { address: given.address, port: given.port, tls, token: token ?? '' };
}

async function resolveDsql(
  given: FileDsql,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<DsqlConfig> {
  const { address, port, region, account_id: accountId, data_dir } = given;
  return {
    address,
    port,
    region,
    accountId,
    dataDir: files.place(data_dir ?? DSQL_DIR_DEFAULT),
    tls: await resolvePair(given, ['dsql'], files, problems),
  };
}

async function resolveStore(
  given: FileStore,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<StoreConfig> {
  const path = ['store'];
  const { url, key = KEY_FILE_DEFAULT } = given;
  if (url !== undefined && given.data_dir !== undefined) {
    problems.add([...path, 'data_dir'], 'has no effect with url', 'leave out one of them');
  }
  const isFile = key.startsWith('file:');
  const text = isFile ? null : await files.secret(key, [...path, 'key']);
  return {
    address: url === undefined ? null : await resolveOrigin({ url }, path, files, problems),
    dataDir: files.place(given.data_dir ?? DATA_DIR_DEFAULT),
    key: isFile ? { path: files.place(key.slice('file:'.length)) } : { text: text ?? '' },
  };
}

type ControlParts = {
  readonly api: FileApi | null;
  readonly store: FileStore | null;
  readonly dsql: FileDsql | null;
};

/** Null when the file speaks of none of them. What is wrong goes to `problems`. */
export async function resolveControl(
  { api, store, dsql }: ControlParts,
  files: ConfigFiles,
  problems: ProblemList,
): Promise<ControlConfig | null> {
  if (api === null && store === null && dsql === null) return null;
  return {
    api: api === null ? null : await resolveApi(api, files, problems),
    store: await resolveStore(store ?? {}, files, problems),
    dsql: dsql === null ? null : await resolveDsql(dsql, files, problems),
  };
}
