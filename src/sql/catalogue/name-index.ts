import type { Name } from '../facts/facts.ts';

/** Objects by bare and by qualified name. Without a schema, a name means all that bear it. */
export class NameIndex<T> {
  readonly #byName = new Map<string, T[]>();
  readonly #byQualifiedName = new Map<string, T[]>();

  add(schema: string, name: string, item: T): void {
    push(this.#byName, name, item);
    push(this.#byQualifiedName, `${schema}\0${name}`, item);
  }

  /** Empty when there is none. */
  find(name: Name): readonly T[] {
    const found =
      name.schema === null
        ? this.#byName.get(name.name)
        : this.#byQualifiedName.get(`${name.schema}\0${name.name}`);
    return found ?? [];
  }
}

function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const items = map.get(key);
  if (items === undefined) map.set(key, [item]);
  else items.push(item);
}
