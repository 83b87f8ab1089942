/**
 * A stand-in for AWS: Secrets Manager, STS and RDS over HTTP, as far as the gateway asks them. It verifies
 * the signature of every request for real, so that wrong credentials are refused as AWS does.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SigningKey } from '../../src/aws/signing-key.ts';

export type SecretVersion = { readonly versionId: string; readonly text: string };

type Answer = { readonly status: number; readonly type: string; readonly body: string };

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const json = (status: number, value: object): Answer => ({
  status,
  type: 'application/x-amz-json-1.1',
  body: JSON.stringify(value),
});

const denied = (code: string): Answer =>
  xml(403, `<ErrorResponse><Error><Code>${code}</Code></Error></ErrorResponse>`);

const xml = (status: number, body: string): Answer => ({ status, type: 'text/xml', body });

export class AwsStandIn {
  /** Who may sign, by access key. */
  readonly keys = new Map<string, SigningKey>();
  /** The version under AWSCURRENT, by ID of the secret. */
  readonly secrets = new Map<string, SecretVersion>();
  /** The external ID that each role asks for. */
  readonly roles = new Map<string, string | null>();
  /** What there is at RDS, by name: the content of the element in XML. */
  readonly instances = new Map<string, string>();
  readonly clusters = new Map<string, string>();
  mayDescribe = true;
  /** How long assumed roles last. */
  sessionMs = 3_600_000;
  /** Before it is written in base64. */
  sessionTokenSize = 300;
  /** While set, every request is answered with 500. */
  isDown = false;
  readonly asked: string[] = [];
  /** What was sent along with `GetSecretValue`. */
  readonly secretsAsked: object[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(): Promise<AwsStandIn> {
    const standIn = new AwsStandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { status, type, body } = this.#answer(request, Buffer.concat(chunks).toString());
    response.writeHead(status, { 'content-type': type }).end(body);
  }

  #answer(request: IncomingMessage, body: string): Answer {
    const target = String(request.headers['x-amz-target'] ?? '');
    const isSecrets = target === 'secretsmanager.GetSecretValue';
    const form = new URLSearchParams(isSecrets ? '' : body);
    const action = form.get('Action') ?? '';
    this.asked.push(isSecrets ? 'GetSecretValue' : action);
    if (action.startsWith('DescribeDB')) {
      if (this.#signer(request, body, 'rds') === null) return denied('SignatureDoesNotMatch');
      return this.#describe(form, action);
    }
    if (this.isDown) return json(500, { __type: 'InternalServiceError' });
    const key = this.#signer(request, body, isSecrets ? 'secretsmanager' : 'sts');
    if (key === null) {
      return isSecrets
        ? json(400, { __type: 'UnrecognizedClientException', message: 'the signature is wrong' })
        : xml(
            403,
            '<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error></ErrorResponse>',
          );
    }
    return isSecrets ? this.#secretOf(body) : this.#assume(form);
  }

  #describe(form: URLSearchParams, action: string): Answer {
    if (!this.mayDescribe) return denied('AccessDenied');
    const isCluster = action === 'DescribeDBClusters';
    const kind = isCluster ? 'DBCluster' : 'DBInstance';
    const name = form.get(`${kind}Identifier`) ?? '';
    const found = (isCluster ? this.clusters : this.instances).get(name);
    if (found === undefined) {
      const code = isCluster ? 'DBClusterNotFoundFault' : 'DBInstanceNotFound';
      return xml(
        404,
        `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code>
        <Message>${name} not found.</Message></Error></ErrorResponse>`,
      );
    }
    return xml(
      200,
      `<${action}Response xmlns="http://rds.amazonaws.com/doc/2014-10-31/"><${action}Result>
      <${kind}s><${kind}>${found}</${kind}></${kind}s></${action}Result></${action}Response>`,
    );
  }

  #secretOf(body: string): Answer {
    const asked = JSON.parse(body) as { SecretId: string };
    this.secretsAsked.push(asked);
    const { SecretId } = asked;
    const version = this.secrets.get(SecretId);
    if (version === undefined) return json(400, { __type: 'ResourceNotFoundException' });
    const { versionId, text } = version;
    return json(200, { SecretString: text, VersionId: versionId, VersionStages: ['AWSCURRENT'] });
  }

  #assume(form: URLSearchParams): Answer {
    const role = form.get('RoleArn') ?? '';
    if (this.roles.get(role) === undefined || this.roles.get(role) !== form.get('ExternalId')) {
      return xml(403, '<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>');
    }
    const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const token = randomBytes(this.sessionTokenSize).toString('base64');
    const session = { token, expiresAtMs: Date.now() + this.sessionMs };
    const secretKey = randomBytes(30).toString('base64');
    this.keys.set(id, { secretKey, session });
    return xml(
      200,
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
      <AssumedRoleUser><Arn>${role}/millrace</Arn><AssumedRoleId>A:m</AssumedRoleId></AssumedRoleUser>
      <Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secretKey}</SecretAccessKey>
      <SessionToken>${session.token}</SessionToken>
      <Expiration>${new Date(session.expiresAtMs).toISOString()}</Expiration></Credentials>
      </AssumeRoleResult></AssumeRoleResponse>`,
    );
  }

  /** The key that a request is signed with, or null when it is not signed rightly. */
  #signer(request: IncomingMessage, body: string, service: string): SigningKey | null {
    const { headers, method = '', url = '' } = request;
    const [, credential = '', signed = '', signature = ''] =
      /^AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=([0-9a-f]{64})$/.exec(
        headers.authorization ?? '',
      ) ?? [];
    const [id = '', date = '', region = '', scopeService = ''] = credential.split('/');
    const key = this.keys.get(id);
    if (key === undefined || scopeService !== service) return null;
    if ((key.session?.token ?? undefined) !== headers['x-amz-security-token']) return null;
    const lines = signed.split(';').map((name) => `${name}:${String(headers[name]).trim()}\n`);
    const [path = '', query = ''] = url.split('?');
    const canonical = [method, path, query, lines.join(''), signed, sha256(body)].join('\n');
    const signing = hmac(
      hmac(hmac(hmac(`AWS4${key.secretKey}`, date), region), service),
      'aws4_request',
    );
    const place = `${date}/${region}/${service}/aws4_request`;
    const time = String(headers['x-amz-date']);
    const text = `AWS4-HMAC-SHA256\n${time}\n${place}\n${sha256(canonical)}`;
    return hmac(signing, text).toString('hex') === signature ? key : null;
  }
}
