/** Messages without a body, whole: code and length. They are shared: nobody may write to them. */
import { ClientCode } from './codes.ts';

const bare = (code: number): Uint8Array => Uint8Array.of(code, 0, 0, 0, 4);

export const TERMINATE: Uint8Array = bare(ClientCode.Terminate);
