/** Notices that a configuration file, or a file it names, has changed. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Files that are being watched. */
export interface Watched {
  /** Whoever calls this loads them now for another reason: what they hold at this moment is no change any more. */
  seen(): void;
  stop(): void;
}

/**
 * Looks at the files every `periodMs` and calls `changed` when their contents have become different and stayed so for
 * one period (an editor or a copy may write in steps). It polls: file system events miss what happens behind symbolic
 * links, which is how Kubernetes swaps a ConfigMap, and on network file systems. `files` is asked anew each time.
 */
export function watchFiles(files: () => readonly string[], periodMs: number, changed: () => void): Watched {
  let stamp = stampOf(files());
  let told = contentOf(files());
  let moving = false;
  const timer = setInterval(() => {
    const now = stampOf(files());
    if (now !== stamp) {
      stamp = now;
      moving = true;
      return;
    }
    if (!moving) return;
    moving = false;
    const content = contentOf(files());
    if (content === told) return;
    told = content;
    changed();
  }, periodMs);
  timer.unref();
  return {
    seen() {
      stamp = stampOf(files());
      told = contentOf(files());
      moving = false;
    },
    stop: () => clearInterval(timer),
  };
}

/** Cheap to take: identity, size and time of each file, links followed. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stat = statSync(file, { throwIfNoEntry: false });
      return stat ? `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}` : 'none';
    })
    .join('\n');
}

function contentOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${file}\n`);
    try {
      // A folder: what is in it, so that a file more or less is a change.
      if (statSync(file).isDirectory()) hash.update(readdirSync(file).sort().join('\n'));
      else hash.update(readFileSync(file));
    } catch {
      hash.update('unreadable');
    }
  }
  return hash.digest('base64');
}
