const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/i;

/** Whether a name or an address is that of this very machine. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
