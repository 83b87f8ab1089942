/**
 * Finds the line of a key in a TOML text. The parser gives values without positions; this reads
 * only table headers and the keys at the start of lines, enough to point a reader to the place.
 */
import type { ConfigPath } from './problems.ts';

const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]/;
const KEY = /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/;
const SEGMENT = /[\w-]+|"[^"]*"|'[^']*'/g;

const spell = (path: ConfigPath): string => JSON.stringify(path);

function segments(dotted: string): string[] {
  return (dotted.match(SEGMENT) ?? []).map((part) => part.replace(/^["']|["']$/g, ''));
}

/** True when the line leaves a multi-line string open that it found closed, or the reverse. */
function togglesMultiline(line: string): boolean {
  return (line.match(/"""|'''/g)?.length ?? 0) % 2 === 1;
}

class Locator {
  readonly lines = new Map<string, number>();
  /** Path of an array of tables to how many of them were opened. */
  readonly #counts = new Map<string, number>();
  #table: ConfigPath = [];

  header(isArray: boolean, names: readonly string[], line: number): void {
    let path: ConfigPath = [];
    for (const [at, name] of names.entries()) {
      path = [...path, name];
      const count = this.#counts.get(spell(path)) ?? 0;
      if (at < names.length - 1) {
        if (count > 0) path = [...path, count - 1];
      } else if (isArray) {
        this.#counts.set(spell(path), count + 1);
        if (count === 0) this.lines.set(spell(path), line);
        path = [...path, count];
      }
    }
    this.#table = path;
    this.lines.set(spell(path), line);
  }

  key(names: readonly string[], line: number): void {
    this.lines.set(spell([...this.#table, ...names]), line);
  }
}

/** Line of a path, counted from 1: of the key itself, else of the nearest table around it. */
export function lineLocator(text: string): (path: ConfigPath) => number | null {
  const locator = new Locator();
  let inString = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (!inString) {
      const header = HEADER.exec(line);
      const key = KEY.exec(line);
      if (header !== null) {
        locator.header(header[1] === '[[', segments(header[2] as string), index + 1);
      } else if (key !== null) {
        locator.key(segments(key[1] as string), index + 1);
      }
    }
    if (togglesMultiline(line)) inString = !inString;
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const line = locator.lines.get(spell(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return null;
  };
}
