/** The envelope around every answer, as Cloudflare's API has it. */

export type Message = { readonly code: number; readonly message: string };

export type ResultInfo = {
  readonly page: number;
  readonly per_page: number;
  readonly count: number;
  readonly total_count: number;
  readonly total_pages: number;
};

export type Envelope = {
  readonly result: unknown;
  readonly success: boolean;
  readonly errors: readonly Message[];
  readonly messages: readonly Message[];
  readonly result_info?: ResultInfo;
};

export function success(result: unknown, info: ResultInfo | null = null): Envelope {
  const tail = info === null ? {} : { result_info: info };
  return { result, success: true, errors: [], messages: [], ...tail };
}

export function failure(code: number, message: string): Envelope {
  return { result: null, success: false, errors: [{ code, message }], messages: [] };
}

/** Which part of a list is asked for; pages count from 1. */
export type PageQuery = { readonly page: number; readonly per_page: number };

export function pageInfo({ page, per_page }: PageQuery, count: number, total: number): ResultInfo {
  const total_pages = Math.ceil(total / per_page);
  return { page, per_page, count, total_count: total, total_pages };
}
