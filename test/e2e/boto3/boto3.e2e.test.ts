import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AWS_ACCOUNT, TestAws } from '../../support/aws-plane.ts';
import { well } from '../../support/iam-command.ts';
import { run } from '../support/command.ts';

const PYTHON = 'python3';
const LOOK = "import boto3; boto3.client('dsql', region_name='us-east-1')";

/** Distributions have versions from before there was Aurora DSQL. */
const isThere = spawnSync(PYTHON, ['-c', LOOK]).status === 0;

describe.skipIf(!isThere)('boto3', () => {
  let aws: TestAws;

  beforeAll(async () => {
    aws = await TestAws.start();
    const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: AWS_ACCOUNT } };
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: trust });
    await well(aws, 'iam', 'role', 'create', 'boto-role', '--trust-policy', policy);
  });

  afterAll(async () => {
    await aws.stop();
  });

  // dsql §4.1, §4.17, §8.7
  it('makes, changes and deletes a cluster, and assumes a role', async () => {
    const { accessKeyId, secretAccessKey } = aws.admin;
    const role = `arn:aws:iam::${AWS_ACCOUNT}:role/boto-role`;
    const args = [
      join(import.meta.dirname, 'plane.py'),
      aws.url,
      accessKeyId,
      secretAccessKey,
      role,
    ];
    const said = await run(PYTHON, args, { timeoutMs: 90_000 });
    expect(said).toEqual({ code: 0, stdout: '', stderr: '' });
  });
});
