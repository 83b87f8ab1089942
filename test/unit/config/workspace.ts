import { chmod, copyFile, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const fixtures = new URL('./fixtures/', import.meta.url);

/** A directory with a configuration file and the fixture certificates, private to this user. */
export async function workspace(toml: string, files: Record<string, string> = {}): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-config-'));
  const names = ['cert.pem', 'key.pem', 'other-key.pem', 'encrypted-key.pem', 'expired.pem'];
  for (const name of names) {
    await copyFile(new URL(name, fixtures), join(directory, name));
    await chmod(join(directory, name), 0o600);
  }
  for (const [name, text] of Object.entries({ 'millrace.toml': toml, ...files })) {
    await writeFile(join(directory, name), text, { mode: 0o600 });
  }
  return directory;
}

/** The shortest valid file; `%` is where more keys of the origin go. */
export const minimal = `
[[configurations]]
name = "app"
[configurations.origin]
host = "db.example.com"
database = "app"
user = "app"
[[configurations.credentials]]
user = "web"
password = "pw"
`;
