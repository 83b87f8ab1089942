/** What a gateway tells of a configuration at work. */
export type ConfigurationStatus = {
  readonly name: string;
  readonly clients: number;
  /** Clients that wait for a link. */
  readonly waiting: number;
  readonly links: {
    readonly idle: number;
    readonly checkedOut: number;
    readonly opening: number;
  };
};

/** What several processes tell, as if they were one: by configuration, in the order of names. */
export function sumOfStatus(
  told: Iterable<readonly ConfigurationStatus[]>,
): readonly ConfigurationStatus[] {
  const sums = new Map<string, ConfigurationStatus>();
  for (const one of [...told].flat()) {
    const { name, clients, waiting, links } = one;
    const sum = sums.get(name);
    if (sum === undefined) sums.set(name, one);
    else {
      sums.set(name, {
        name,
        clients: sum.clients + clients,
        waiting: sum.waiting + waiting,
        links: {
          idle: sum.links.idle + links.idle,
          checkedOut: sum.links.checkedOut + links.checkedOut,
          opening: sum.links.opening + links.opening,
        },
      });
    }
  }
  return [...sums.values()].toSorted((left, right) => (left.name < right.name ? -1 : 1));
}
