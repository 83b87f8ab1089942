/** The listener of the DSQL endpoint, for all clusters of a region. */
import type { Socket } from 'node:net';
import { encodeAuthenticationOk } from '../protocol/authentication.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/time.ts';
import { closeGently } from '../net/closing.ts';
import { type Listener, listen } from '../net/listen.ts';
import { encodeWelcome } from '../protocol/startup.ts';
import type { Cluster } from './cluster.ts';
import { type AdmissionContext, type Admitted, admit } from './login/admission.ts';
import { toldParameters } from './login/startup-parameters.ts';
import { ClientPort } from './session/client-port.ts';
import { ClientSession } from './session/client-session.ts';

