/** The room's door: a place → a checked configuration, or everything that is wrong with it. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { BucketSource } from './bucketsource.ts';
import { loadConfig } from './read.ts';
import { type Source, type SourceOptions, WATCH_MS } from './source.ts';
import { watchFiles } from './watch.ts';

export { describeChange } from './diff.ts';
export type { Config } from './file.ts';
export type { Loaded, NotLoaded } from './load.ts';
export {
  type PlanDocument,
  packPlan,
  packTenant,
  planConfig,
  planDocument,
  type TenantDocument,
  tenantConfig,
  tenantDocument,
} from './plans.ts';
export { formatProblem, type Problem } from './problem.ts';
export { loadConfig } from './read.ts';
export { wholeRouteConfig } from './route.ts';
export { publishedSchema } from './schema.ts';
export type { Source } from './source.ts';

/** Opens `location`: a path, or `s3://BUCKET/KEY`, where a KEY that ends in `/` is a folder. Throws when it is neither. */
export function openSource(location: string, options: SourceOptions): Source {
  if (location.startsWith('s3://')) return new BucketSource(location, options);
  let sources: readonly string[] = [];
  return {
    async load() {
      const result = loadConfig(location, { env: options.env });
      sources = result.sources;
      return result;
    },
    accepted: () => undefined,
    watch: (changed) => watchFiles(() => sources, WATCH_MS, changed),
  };
}

/** Folder for what outlives a restart: what systemd gives (StateDirectory=), else the user's. */
export function dataFolder(env: SourceOptions['env']): string {
  if (env.STATE_DIRECTORY) return env.STATE_DIRECTORY.split(':')[0] as string;
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'gatehouse');
}

/** Folder for last good copies of the configuration. */
export const keepFolder = (env: SourceOptions['env']): string => join(dataFolder(env), 'configuration');
