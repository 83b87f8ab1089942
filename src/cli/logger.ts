/** Logging to standard error: JSON lines for machines, or short lines for people. */

import picocolors from 'picocolors';
import { pino } from 'pino';
import type { Log } from '../base/log.ts';
import { isDebugging, type Terminal } from './terminal.ts';

const STDERR_FD = 2;

/** JSON lines with the process id, written at once so that none is lost at the end. */
export function jsonLog(terminal: Terminal): Log {
  return pino(
    { level: isDebugging(terminal) ? 'debug' : 'info', timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: STDERR_FD, sync: true }),
  );
}

const FIELD_LENGTH_MAX = 500;

/** `key=value` pairs; an error gives its message, never its stack. */
function spellFields(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => {
      const spelled = value instanceof Error ? value.message : value;
      const text = typeof spelled === 'string' ? spelled : (JSON.stringify(spelled) ?? '');
      return ` ${key}=${text.slice(0, FIELD_LENGTH_MAX).replace(/\p{Cc}+/gu, ' ')}`;
    })
    .join('');
}

/** Short lines for somebody who watches. */
export function humanLog(terminal: Terminal): Log {
  const paint = picocolors.createColors(terminal.usesColor);
  const write = (level: string, fields: object, message: string) =>
    terminal.err(`${level}${message}${paint.dim(spellFields(fields))}\n`);
  return {
    debug: (fields, message) => {
      if (isDebugging(terminal)) write(paint.dim('debug '), fields, message);
    },
    info: (fields, message) => write('', fields, message),
    warn: (fields, message) => write(paint.yellow('warning '), fields, message),
    error: (fields, message) => write(paint.red('error '), fields, message),
  };
}
