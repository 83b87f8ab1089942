/** How a DNS server is written in the file. */
import * as z from 'zod';

const PORT_MAX = 65_535;
/** `10.0.0.2`, `10.0.0.2:53`, `2001:db8::2`, `[2001:db8::2]` or `[2001:db8::2]:53`. */
const SHAPE = /^(?:(?<v4>[\d.]+)|\[(?<v6>[\da-fA-F:.]+)\])(?::(?<port>\d{1,5}))?$/;

const isV4 = (text: string): boolean => z.ipv4().safeParse(text).success;
const isV6 = (text: string): boolean => z.ipv6().safeParse(text).success;

/** Stricter than Node, which takes a port of 99999 for another one, and aborts at port 0. */
export function isDnsServer(text: string): boolean {
  if (isV6(text)) return true;
  const { v4, v6, port = '53' } = SHAPE.exec(text)?.groups ?? {};
  const isPort = Number(port) >= 1 && Number(port) <= PORT_MAX;
  return isPort && ((v4 !== undefined && isV4(v4)) || (v6 !== undefined && isV6(v6)));
}
