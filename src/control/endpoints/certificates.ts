/** `/mtls_certificates`: authorities to trust at origins, and certificates to show to them. */
import { X509Certificate } from 'node:crypto';
import * as z from 'zod';
import { hashNameOf } from '../../auth/certificate-hash.ts';
import { certificatesProblem, isPair, privateKeyProblem } from '../../config/certificates.ts';
import type { CertificateRecord } from '../../store/certificates.ts';
import { ApiError } from '../api-error.ts';
import { type Endpoint, endpoint, listEndpoint } from '../http/endpoint.ts';
import { certificateInput, certificateResult } from '../schemas/certificate.ts';
import { accountParams, givenId, pageQuery } from '../schemas/common.ts';
import { newId } from './identity.ts';

const CERTIFICATES_PATH = '/accounts/{account_id}/mtls_certificates';
const CERTIFICATE_PATH = `${CERTIFICATES_PATH}/{mtls_certificate_id}`;
const certificateParams = accountParams.extend({ mtls_certificate_id: givenId });
const shared = { tag: 'Certificates' } as const;

type Input = z.output<typeof certificateInput>;

function viewOf(record: CertificateRecord): z.input<typeof certificateResult> {
  return {
    id: record.id,
    name: record.name,
    ca: record.isAuthority,
    certificates: record.certificates,
    issuer: record.issuer,
    serial_number: record.serialNumber,
    signature: record.signature,
    uploaded_on: record.uploadedOn.toISOString(),
    expires_on: record.expiresOn.toISOString(),
  };
}

function refuse(what: string): never {
  throw new ApiError('invalid', `The body is not valid: ${what}`);
}

/** @throws ApiError when certificate and key cannot be used, or do not belong together */
function checkPem({ certificates, private_key: key, ca }: Input): void {
  const problem = certificatesProblem(certificates);
  if (problem !== null) refuse(`certificates ${problem}`);
  if (ca) {
    if (key !== undefined) refuse('an authority has no private_key here');
    return;
  }
  if (key === undefined) refuse('private_key must be given, unless ca is true');
  const keyProblem = privateKeyProblem(key);
  if (keyProblem !== null) refuse(`private_key ${keyProblem}`);
  if (!isPair(certificates, key)) refuse('private_key does not belong to the certificate');
}

/** What the first certificate says of itself. */
function describe(pem: string) {
  const certificate = new X509Certificate(pem);
  return {
    issuer: certificate.issuer.replaceAll('\n', ', '),
    serialNumber: certificate.serialNumber,
    signature: hashNameOf(certificate.raw)?.toUpperCase() ?? 'unknown',
    expiresOn: new Date(certificate.validTo),
  };
}

const list = listEndpoint(
  {
    ...shared,
    method: 'get',
    path: CERTIFICATES_PATH,
    operationId: 'list-mtls-certificates',
    summary: 'List certificates',
    scope: 'read',
    params: accountParams,
    // Wrangler asks by name for the one that it is to delete.
    query: pageQuery.extend({ name: z.string().optional() }),
    result: certificateResult,
  },
  async ({ params, query, context }) => {
    const page = { limit: query.per_page, offset: (query.page - 1) * query.per_page };
    const { certificates } = context.store;
    const name = query.name ?? null;
    const { items, total } = await certificates.list(params.account_id, page, name);
    return { items: items.map(viewOf), total, page: query };
  },
);

const create = endpoint(
  {
    ...shared,
    method: 'post',
    path: CERTIFICATES_PATH,
    operationId: 'create-mtls-certificate',
    summary: 'Upload an authority, or a certificate with its key',
    scope: 'write',
    params: accountParams,
    body: certificateInput,
    result: certificateResult,
  },
  async ({ params, body, caller, context }) => {
    checkPem(body);
    const draft = {
      id: newId(context.random),
      accountId: params.account_id,
      name: body.name ?? '',
      isAuthority: body.ca,
      certificates: body.certificates,
      privateKey: body.private_key ?? null,
      ...describe(body.certificates),
    };
    const made = await context.store.certificates.create(draft, caller.name);
    if (made === 'too-many') throw new ApiError('tooMany');
    return viewOf(made);
  },
);

const get = endpoint(
  {
    ...shared,
    method: 'get',
    path: CERTIFICATE_PATH,
    operationId: 'get-mtls-certificate',
    summary: 'Get a certificate, without its key',
    scope: 'read',
    params: certificateParams,
    result: certificateResult,
  },
  async ({ params, context }) => {
    const { account_id: accountId, mtls_certificate_id: id } = params;
    const record = await context.store.certificates.get(accountId, id);
    if (record === null) throw new ApiError('notFound', 'There is no such certificate');
    return viewOf(record);
  },
);

const remove = endpoint(
  {
    ...shared,
    method: 'delete',
    path: CERTIFICATE_PATH,
    operationId: 'delete-mtls-certificate',
    summary: 'Delete a certificate that no configuration uses',
    scope: 'write',
    params: certificateParams,
    result: certificateResult,
  },
  async ({ params, caller, context }) => {
    const { account_id: accountId, mtls_certificate_id: id } = params;
    const deleted = await context.store.certificates.delete(accountId, id, caller.name);
    if (deleted === 'in-use') throw new ApiError('inUse');
    if (deleted === null) throw new ApiError('notFound', 'There is no such certificate');
    return viewOf(deleted);
  },
);

export const certificateEndpoints: readonly Endpoint[] = [list, create, get, remove];
