/** Identities made by the command line, and what they may. */
import { GetClusterCommand } from '@aws-sdk/client-dsql';
import { expect } from 'vitest';
import { runCli } from '../../src/cli/run.ts';
import { AWS_ACCOUNT, type AwsCredentials, failure, type TestAws } from './aws-plane.ts';

type Said = { readonly code: number; readonly out: string; readonly err: string };

/** The command line, as in a terminal, with the API of this test in its environment. */
export async function millrace(aws: TestAws, ...words: string[]): Promise<Said> {
  const said = { out: '', err: '' };
  const terminal = {
    out: (text: string) => {
      said.out += text;
    },
    err: (text: string) => {
      said.err += text;
    },
    env: { MILLRACE_API_URL: aws.apiUrl, MILLRACE_API_TOKEN: aws.token },
    usesColor: false,
  };
  const account = ['--account-id', AWS_ACCOUNT];
  return { code: await runCli([...words, ...account], terminal), ...said };
}

export async function well(aws: TestAws, ...words: string[]): Promise<string> {
  const { code, out, err } = await millrace(aws, ...words);
  expect([code, code === 0 ? '' : err]).toEqual([0, '']);
  return out;
}

/** A fresh user with a key and, when it is given, a policy. */
export async function user(
  aws: TestAws,
  name: string,
  policy: object | null = null,
): Promise<AwsCredentials> {
  await well(aws, 'iam', 'user', 'create', name);
  if (policy !== null) await allow(aws, 'user', name, policy);
  return await mint(aws, name);
}

export async function mint(aws: TestAws, name: string): Promise<AwsCredentials> {
  const minted = JSON.parse(await well(aws, 'iam', 'key', 'create', name, '--json')) as {
    readonly id: string;
    readonly secret_access_key: string;
  };
  return { accessKeyId: minted.id, secretAccessKey: minted.secret_access_key };
}

export async function allow(
  aws: TestAws,
  kind: string,
  name: string,
  statement: object,
): Promise<void> {
  const document = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await well(aws, 'iam', 'policy', 'put', 'its', `--${kind}`, name, '--document', document);
}

export const MISSING = 'm'.repeat(26);

/** What a GetCluster of one that there is not comes to: who may not is not told even that. */
export async function mayGet(
  aws: TestAws,
  credentials: AwsCredentials,
  id = MISSING,
): Promise<boolean> {
  const command = new GetClusterCommand({ identifier: id });
  const error = await failure(aws.dsql(credentials).send(command));
  expect(['ResourceNotFoundException', 'AccessDeniedException']).toContain(error.name);
  return error.name === 'ResourceNotFoundException';
}
