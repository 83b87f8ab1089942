import type { Socket } from 'node:net';
import { isBusy, isLoginRefusal } from '../aws/login-refusal.ts';
import { indexOfZero, readUint32 } from '../base/bytes.ts';
import { GatewayError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Message, SocketReader } from '../net/socket-reader.ts';
import { decodeAuthentication } from '../protocol/authentication.ts';
import { ServerCode, TransactionStatus } from '../protocol/codes.ts';
import { decodeErrorFields } from '../protocol/error-response.ts';
import { encodeStartup } from '../protocol/startup.ts';
import { Authenticator, type Credentials } from './login-authenticate.ts';

/** A server that says more than this before ReadyForQuery is not going to get there. */
const MESSAGES_MAX = 1_000;

/** Longest authentication request, as in libpq. */
const AUTHENTICATION_LENGTH_MAX = 2_000;

/** Longest of the others, as libpq takes an error during startup. */
const MESSAGE_LENGTH_MAX = 30_000;

/** Cancel keys have 4 bytes in protocol 3.0; a little room for servers that send longer ones. */
const KEY_DATA_LENGTH_MAX = 264;

/** What a server told during a successful start-up. */
export type LoggedIn = {
  /** 0 when the server sent no key; it cannot be sent cancel requests then. */
  readonly processId: number;
  /** Empty when the server sent no key. */
  readonly secretKey: Buffer;
  /** The last ParameterStatus of each name. */
  readonly parameters: Map<string, string>;
};

/** An error that the server answered the login with. */
export class OriginRejection extends GatewayError {
  readonly sqlstate: string;
  /** MESSAGE and HINT of the server. */
  readonly text: string;
  readonly hint: string;

  constructor(sqlstate: string, text: string, hint: string) {
    // Class 28 is invalid authorization, 3D000 a database that does not exist: both are ours to
    // mend.
    const isOurs = isLoginRefusal(sqlstate, text) || sqlstate === '3D000';
    const other = isOurs ? 'MR_ORIGIN_AUTH' : 'MR_ORIGIN_REJECTED';
    super(isBusy(text) ? 'MR_ORIGIN_BUSY' : other, {
      detail: `${sqlstate}: ${text}`,
      // What Aurora DSQL says there names accounts and roles.
      ...(hint === '' ? {} : { cause: new Error(hint) }),
    });
    this.sqlstate = sqlstate;
    this.text = text;
    this.hint = hint;
  }
}

const violation = (subject: string): GatewayError =>
  new GatewayError('MR_PROTOCOL_VIOLATION', { subject });

/**
 * Sends the StartupMessage and takes part until ReadyForQuery.
 *
 * @throws GatewayError `MR_ORIGIN_AUTH` or `MR_ORIGIN_REJECTED`, the server's words as DETAIL;
 * `MR_PROTOCOL_VIOLATION` when it does not keep to the protocol
 */
export async function logIn(
  socket: Socket,
  reader: SocketReader,
  credentials: Credentials,
  startup: ReadonlyMap<string, string>,
  log: Log,
): Promise<LoggedIn> {
  socket.write(encodeStartup(startup));
  const authenticator = new Authenticator(credentials);
  const state = { processId: 0, secretKey: Buffer.alloc(0), parameters: new Map<string, string>() };
  const lengthMaxOf = (code: number): number => lengthMax(code, authenticator.isDone);
  for (let count = 0; count < MESSAGES_MAX; count++) {
    const message = await reader.message(lengthMaxOf);
    if (message === null) {
      const detail = 'the server closed the connection during start-up';
      throw new GatewayError('MR_ORIGIN_REJECTED', { detail });
    }
    const { code, body } = message;
    if (code === ServerCode.Authentication) {
      const answer = await authenticator.answer(decodeAuthentication(body));
      if (answer !== null) socket.write(answer);
    } else if (code === ServerCode.ErrorResponse) {
      throw rejection(body);
    } else if (code === ServerCode.NoticeResponse) {
      const { sqlstate, message: text } = decodeErrorFields(body, 0, body.length);
      log.debug({ sqlstate, text }, 'the origin sent a notice during start-up');
    } else if (code === ServerCode.BackendKeyData) {
      if (body.length < 8) throw violation('malformed BackendKeyData');
      state.processId = readUint32(body, 0) | 0;
      state.secretKey = Buffer.from(body.subarray(4));
    } else if (code === ServerCode.ParameterStatus) {
      keepParameter(state.parameters, message);
    } else {
      if (body.length !== 1 || body[0] !== TransactionStatus.Idle) {
        throw violation('malformed end of start-up');
      }
      if (reader.isDrained) return state;
      throw await farewell(reader);
    }
  }
  throw violation('too many messages during start-up');
}

/** A server that speaks on after ReadyForQuery says goodbye: it is shutting down. */
async function farewell(reader: SocketReader): Promise<GatewayError> {
  const message = await reader.message((code) => {
    if (code === ServerCode.ErrorResponse) return MESSAGE_LENGTH_MAX;
    throw violation('unexpected message behind the end of start-up');
  });
  return message === null ? violation('malformed end of start-up') : rejection(message.body);
}

/** The largest length of a message type that has its place here; others are violations. */
function lengthMax(code: number, authenticated: boolean): number {
  if (code === ServerCode.ErrorResponse || code === ServerCode.NoticeResponse) {
    return MESSAGE_LENGTH_MAX;
  }
  if (!authenticated && code === ServerCode.Authentication) return AUTHENTICATION_LENGTH_MAX;
  if (authenticated && code === ServerCode.ParameterStatus) return MESSAGE_LENGTH_MAX;
  if (authenticated && code === ServerCode.BackendKeyData) return KEY_DATA_LENGTH_MAX;
  if (authenticated && code === ServerCode.ReadyForQuery) return 5;
  throw violation('unexpected message during start-up');
}

function keepParameter(parameters: Map<string, string>, { body }: Message): void {
  const nameEnd = indexOfZero(body, 0, body.length);
  const valueEnd = nameEnd < 0 ? -1 : indexOfZero(body, nameEnd + 1, body.length);
  if (valueEnd !== body.length - 1 || valueEnd < 0) throw violation('malformed ParameterStatus');
  parameters.set(body.toString('utf8', 0, nameEnd), body.toString('utf8', nameEnd + 1, valueEnd));
}

/** The server's own words, as an error of ours. */
function rejection(body: Buffer): GatewayError {
  const { sqlstate, message, hint } = decodeErrorFields(body, 0, body.length);
  return new OriginRejection(sqlstate, message, hint);
}
