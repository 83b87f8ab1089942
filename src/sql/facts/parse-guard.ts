/**
 * How much may be handed to the parser. It recurses, and in WebAssembly it does not recover when
 * its stack ends: measured on Node 20, that takes 2,500 nested selects or 8,000 chained operators.
 */

import { lastShapeDepth, type ShapeDepth, shapeOf } from '../shape/shape.ts';

const NESTING_MAX = 500;
const CHAIN_MAX = 4_000;

export function isParseable(depth: ShapeDepth): boolean {
  return depth.depthMax <= NESTING_MAX && depth.linkCount <= CHAIN_MAX;
}

/** For texts that come as strings; a text without a shape is one that the parser refuses anyway. */
export function isTextParseable(text: string): boolean {
  const bytes = Buffer.from(text);
  return shapeOf(bytes, 0, bytes.length) !== null && isParseable(lastShapeDepth);
}

/** Characters that open nesting, counted without regard to where they stand: an upper bound. */
const openers = '([';

/**
 * For whole function definitions, whose body is one string to the tokenizer: no run of brackets in
 * it is deeper than the parser takes. Its expressions are looked at one by one afterwards.
 */
export function isNestingParseable(text: string): boolean {
  let depth = 0;
  let depthMax = 0;
  for (const character of text) {
    if (openers.includes(character)) depthMax = Math.max(depthMax, ++depth);
    else if (character === ')' || character === ']') depth = Math.max(0, depth - 1);
  }
  return depthMax <= NESTING_MAX;
}
