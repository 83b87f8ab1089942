import { DsqlSigner } from '@aws-sdk/dsql-signer';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AccessRequest, Identities, Principal } from '../../../../src/aws/identities.ts';
import type { SigningKey } from '../../../../src/aws/signing-key.ts';
import type { ClusterRecord } from '../../../../src/dsql/clusters/cluster-record.ts';
import { DsqlError } from '../../../../src/dsql/dsql-error.ts';
import { judgeToken } from '../../../../src/dsql/login/token-judge.ts';

const NOW = Date.parse('2026-11-22T12:00:00Z');
const ID = 'abcdefghijklmnopqrstuvwxyz';
const REGION = 'us-east-1';
const HOST = `${ID}.dsql.${REGION}.on.aws`;
const KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG' };
const SESSION_TOKEN = 'Fw/oG+Z='.repeat(40);
const ALICE: Principal = {
  arn: 'arn:aws:iam::000000000000:user/alice',
  mappedArn: 'arn:aws:iam::000000000000:user/alice',
  accountId: '000000000000',
};

const CLUSTER: ClusterRecord = {
  id: ID,
  region: REGION,
  accountId: '000000000000',
  status: 'ACTIVE',
  createdAtMs: 0,
  isDeletionProtected: false,
  tags: {},
  policy: null,
  originUrls: [],
  roleSecret: Buffer.alloc(32),
};

afterEach(() => {
  vi.useRealTimers();
});

class Account implements Identities {
  session: SigningKey['session'] = null;
  mayConnect = true;
  readonly asked: AccessRequest[] = [];

  signer(accessKeyId: string) {
    if (accessKeyId !== KEY.accessKeyId) return null;
    const key = { secretKey: KEY.secretAccessKey, session: this.session };
    return { key, principal: ALICE };
  }

  isAllowed(_principal: Principal, request: AccessRequest): boolean {
    this.asked.push(request);
    return this.mayConnect;
  }
}

type Wish = {
  readonly hostname?: string;
  readonly region?: string;
  readonly expiresIn?: number;
  readonly credentials?: typeof KEY & { readonly sessionToken?: string };
  readonly isAdmin?: boolean;
};

async function token(wish: Wish = {}): Promise<string> {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW });
  const { hostname = HOST, region = REGION, credentials = KEY, isAdmin = true } = wish;
  const signer = new DsqlSigner({
    hostname,
    region,
    credentials,
    expiresIn: wish.expiresIn ?? 900,
  });
  const text = isAdmin
    ? await signer.getDbConnectAdminAuthToken()
    : await signer.getDbConnectAuthToken();
  vi.useRealTimers();
  return text;
}

type Told = { readonly sqlstate: string; readonly message: string; readonly hint: string };

/** What a login is told, or null when it is let in. */
function told(
  password: string,
  { user = 'admin', account = new Account(), nowMs = NOW, hosts = [HOST] } = {},
): Told | null {
  const found = { password, user, cluster: CLUSTER, hosts, identities: account, nowMs };
  try {
    expect(judgeToken(found)).toBe(ALICE);
    return null;
  } catch (error) {
    if (!(error instanceof DsqlError)) throw error;
    const { sqlstate, message, hint } = error;
    return { sqlstate, message, hint };
  }
}

const denied = (hint: unknown) => ({
  sqlstate: '08006',
  message: 'unable to accept connection, access denied',
  hint,
});

describe('a token at the DSQL endpoint', () => {
  // dsql §2.1, §2.11, §2.12
  it('lets its signer in as admin, who is asked for DbConnectAdmin on the cluster', async () => {
    const account = new Account();
    expect(told(await token(), { account })).toBeNull();
    expect(account.asked).toEqual([
      {
        action: 'dsql:DbConnectAdmin',
        resource: `arn:aws:dsql:us-east-1:000000000000:cluster/${ID}`,
        resourcePolicy: null,
      },
    ]);
  });

  // dsql §2.11
  it('lets its signer in as another role by DbConnect', async () => {
    const account = new Account();
    expect(told(await token({ isAdmin: false }), { account, user: 'app' })).toBeNull();
    expect(account.asked[0]?.action).toBe('dsql:DbConnect');
  });

  // dsql §1.36
  it('is refused when its action is that of another class of roles', async () => {
    const asAdmin = 'Wrong user to action mapping. user: admin, action: DbConnect';
    expect(told(await token({ isAdmin: false }))).toEqual(denied(asAdmin));
    const asUser = 'Wrong user to action mapping. user: app, action: DbConnectAdmin';
    expect(told(await token(), { user: 'app' })).toEqual(denied(asUser));
  });

  // dsql §1.34
  it('is refused when it has expired, in the words of AWS', async () => {
    const text = await token();
    expect(told(text, { nowMs: NOW + 900_000 })).toBeNull();
    const hint =
      'Signature expired: 20261122T120000Z is now earlier than 20261122T120001Z ' +
      '(20261122T121501Z - 15 min.)';
    expect(told(text, { nowMs: NOW + 901_000 })).toEqual(denied(hint));
  });

  // dsql §1.40, §2.4
  it('is good for a week at most', async () => {
    const week = await token({ expiresIn: 604_800 });
    expect(told(week, { nowMs: NOW + 604_800_000 })).toBeNull();
    const longer = week.replace('X-Amz-Expires=604800', 'X-Amz-Expires=604801');
    expect(told(longer)).toMatchObject({
      sqlstate: '28000',
      message: 'IAM authentication failed for user "admin"',
    });
  });

  // dsql §2.9
  it('is refused when it was signed more than 15 minutes ahead', async () => {
    const text = await token();
    expect(told(text, { nowMs: NOW - 900_000 })).toBeNull();
    expect(told(text, { nowMs: NOW - 901_000 })).toEqual(
      denied(expect.stringMatching(/^Signature not yet current: 20261122T120000Z /)),
    );
  });

  // dsql §2.5, §2.7
  it('is refused when it is for another host, region or service', async () => {
    const other = `${'z'.repeat(26)}.dsql.us-east-1.on.aws`;
    const isDenied = denied(expect.any(String));
    expect(told(await token({ hostname: other }))).toEqual(isDenied);
    expect(told(await token({ region: 'eu-west-1' }))).toEqual(isDenied);
    expect(told((await token()).replaceAll('%2Fdsql%2F', '%2Frds-db%2F'))).toEqual(isDenied);
  });

  // dsql §1.12, §1.13
  it('is good for every name that the cluster was reached by', async () => {
    const link = `${ID}.dsql-fnh4.${REGION}.on.aws`;
    expect(told(await token({ hostname: link }), { hosts: [HOST, link] })).toBeNull();
    expect(told(await token({ hostname: link }))).not.toBeNull();
  });

  // dsql §2.8
  it('is refused when any character of it was changed', async () => {
    const text = await token();
    for (let at = 0; at < text.length; at += 3) {
      const other = text[at] === 'a' ? 'b' : 'a';
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(told(changed), changed).not.toBeNull();
    }
  });

  // dsql §1.33
  it('is refused when nobody has its key, in the same words as with a wrong secret', async () => {
    const stranger = await token({ credentials: { ...KEY, accessKeyId: 'AKIASTRANGER' } });
    const liar = await token({ credentials: { ...KEY, secretAccessKey: 'guessed' } });
    expect(told(stranger)).toEqual(denied(expect.any(String)));
    expect(told(liar)).toEqual(told(stranger));
  });

  // dsql §1.40, §2.10
  it('must carry the token of its session, and ends with that', async () => {
    const account = new Account();
    account.session = { token: SESSION_TOKEN, expiresAtMs: NOW + 60_000 };
    const credentials = { ...KEY, sessionToken: SESSION_TOKEN };
    const text = await token({ credentials });
    expect(told(text, { account })).toBeNull();
    expect(told(await token(), { account })).toEqual(denied(expect.any(String)));
    expect(told(text)).toEqual(denied(expect.any(String)));
    expect(told(text, { account, nowMs: NOW + 61_000 })).toMatchObject({
      sqlstate: '28000',
      message: 'IAM authentication failed for user "admin"',
    });
  });

  // dsql §1.35, §2.12
  it('is refused when the policies do not allow its action', async () => {
    const account = new Account();
    account.mayConnect = false;
    const hint =
      'User: arn:aws:iam::000000000000:user/alice is not authorized to perform: ' +
      `dsql:DbConnectAdmin on resource: arn:aws:dsql:us-east-1:000000000000:cluster/${ID}`;
    expect(told(await token(), { account })).toEqual(denied(hint));
  });

  // dsql §1.33, §2.3
  it('is refused when it is a password, empty, or longer than any token', async () => {
    const isDenied = denied(expect.stringMatching(/^The password is not a valid token: /));
    for (const text of ['', 'secret', `${await token()}&X-Amz-Foo=${'a'.repeat(20_000)}`]) {
      const answer = told(text);
      expect(answer).toEqual(isDenied);
      expect(answer?.hint).not.toContain('secret');
    }
  });
});
