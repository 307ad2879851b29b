/**
 * What the tests borrow: Debian packages and npm peers (real clients, stand-in servers, a real engine). test/install.js
 * installs them; here tests ask for them. Where `CI` is set a missing peer fails, elsewhere it skips with its reason.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRepository } from './root.ts';

/** What a test cannot run without. */
export interface Needs {
  /** Programs, such as `haproxy`. */
  commands?: readonly string[];
  /** npm packages of test/peers/package.json, such as `openai`. */
  peers?: readonly string[];
}

/** Folder whose node_modules holds the npm peers. */
export const peersFolder = (): string => inRepository('.cache', 'peers');

/** Full path of a program, searching PATH and the system's sbin folders; undefined when it is not there. */
export function findCommand(name: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

/** Full path of a program. Throws with the package to install when it is not there. */
export function needCommand(name: string): string {
  const path = findCommand(name);
  if (path === undefined) throw new Error(`${name} is not installed: apt-get install ${packageOf(name)}`);
  return path;
}

/**
 * Options for `test(name, needs({…}), fn)`: skips, with the reason, when something is missing. Throws where CI is set,
 * because there a skipped test is a broken promise.
 */
export function needs({ commands = [], peers = [] }: Needs): { skip: string | false } {
  const missing = [
    ...commands.filter((name) => findCommand(name) === undefined).map((name) => `Debian package ${packageOf(name)}`),
    ...peers.filter((name) => !hasPeer(name)).map((name) => `npm peer ${name}`),
  ];
  if (missing.length === 0) return { skip: false };
  const reason = `missing ${missing.join(', ')}: run npm test once as a user who may install packages`;
  if (process.env.CI) throw new Error(reason);
  return { skip: reason };
}

/** True when an npm peer is installed (and runs on this machine, for the engine's binary). */
export function hasPeer(name: string): boolean {
  if (name === 'node-llama-cpp' && !existsSync(join(peersFolder(), 'node_modules/@node-llama-cpp/linux-x64')))
    return false;
  return existsSync(join(peersFolder(), 'node_modules', name, 'package.json'));
}

/** Imports an npm peer. `T` is the part of it that the test uses. */
export async function importPeer<T = Record<string, unknown>>(name: string): Promise<T> {
  const loader = (await import(pathToFileURL(join(peersFolder(), 'load.mjs')).href)) as {
    load(name: string): Promise<unknown>;
  };
  return (await loader.load(name)) as T;
}

function packageOf(command: string): string {
  const { debian } = JSON.parse(readFileSync(inRepository('test', 'needs.json'), 'utf8')) as {
    debian: Record<string, string>;
  };
  return debian[command] ?? command;
}
