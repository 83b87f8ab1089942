/** The order of PostgreSQL's own regression tests: later ones use what earlier ones have made. */

/**
 * The groups of `parallel_schedule`, in order; the scripts of one may run at once.
 *
 * @param text the file, in which `test: a b` is a group, and `ignore: a` is for another program
 */
export function readSchedule(text: string, leftOut: ReadonlyMap<string, string>): string[][] {
  const groups = text.split('\n').flatMap((line) => {
    const names = /^test:(.*)$/.exec(line)?.[1]?.trim().split(/\s+/) ?? [];
    return [names.filter((name) => !leftOut.has(name))];
  });
  return groups.filter((names) => names.length > 0);
}
