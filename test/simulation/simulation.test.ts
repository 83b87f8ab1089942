/**
 * Worlds by the hundred, each from a seed of its own. `MILLRACE_SIMULATION_SEED` begins with that
 * world, `MILLRACE_SIMULATION_WORLDS` says how many; a failure names the seed of its world.
 */
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { runWorld } from './world.ts';

const FIRST = Number(process.env['MILLRACE_SIMULATION_SEED'] ?? 1);
const WORLDS = Number(process.env['MILLRACE_SIMULATION_WORLDS'] ?? 300);
const MS_PER_WORLD = 300;
/** A mutant that survives so many worlds would survive the tests of every day as well. */
const MUTANT_WORLDS = 400;

describe('the simulation', () => {
  it(
    `finds nothing wrong in ${WORLDS} worlds from ${FIRST} on`,
    () => {
      let answered = 0;
      for (let seed = FIRST; seed < FIRST + WORLDS; seed++) answered += runWorld(seed).answered;
      // Worlds in which nobody is served would show nothing.
      if (WORLDS >= 100) expect(answered).toBeGreaterThan(WORLDS * 5);
    },
    20_000 + WORLDS * MS_PER_WORLD,
  );

  it('does the same for the same seed', () => {
    expect(runWorld(FIRST)).toEqual(runWorld(FIRST));
  });
});

describe('the simulation notices that', () => {
  it.each(MUTANTS)(
    '$name',
    ({ install, lacks }) => {
      const restore = install?.();
      try {
        expect(() => {
          for (let seed = 1; seed <= MUTANT_WORLDS; seed++) runWorld(seed, lacks);
        }).toThrow(/^world \d+, turn \d+: /);
      } finally {
        restore?.();
      }
    },
    120_000,
  );
});
