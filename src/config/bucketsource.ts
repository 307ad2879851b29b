/**
 * A configuration in an S3-compatible bucket: one object, or a folder of them. What was in force last is kept on the disk,
 * so that a restart serves while the bucket is away or holds something wrong.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bucket, type BucketObject } from './bucket.ts';
import type { Loaded, NotLoaded } from './load.ts';
import { loadTexts } from './read.ts';
import { type Source, type SourceOptions, WATCH_MS } from './source.ts';
import { type Watched, watchFiles } from './watch.ts';

const MAX_FRAGMENTS = 10_000;

interface Kept {
  location: string;
  objects: { key: string; etag: string; text: string }[];
}

const stampOf = (objects: ReadonlyMap<string, BucketObject>): string =>
  JSON.stringify([...objects].map(([key, { etag }]) => [key, etag]));

/** See the file's head. */
export class BucketSource implements Source {
  readonly #location: string;
  readonly #options: SourceOptions;
  readonly #bucket: Bucket;
  readonly #key: string;
  /** What was fetched last, by key. */
  #objects = new Map<string, BucketObject>();
  /** What the last load for a reload found: a look at what would change (`diff`) fetches too, and must not hide a change. */
  #loaded = this.#objects;
  #reloading = true;
  #sources: readonly string[] = [];
  #failure = '';

  /** Throws when `location` is not `s3://BUCKET/KEY`. */
  constructor(location: string, options: SourceOptions) {
    const [, bucket = '', key = ''] = /^s3:\/\/([^/]+)\/(.*)$/.exec(location) ?? [];
    if (bucket === '') throw new Error(`${location}: expected s3://BUCKET/KEY, or s3://BUCKET/FOLDER/`);
    const { env } = options;
    const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || 'us-east-1';
    const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || `https://s3.${region}.amazonaws.com`;
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
    const keys = id && secret ? { id, secret, ...(token ? { token } : {}) } : undefined;
    this.#bucket = new Bucket({ endpoint, region, bucket, ...(keys ? { keys } : {}) });
    this.#location = location;
    this.#options = options;
    this.#key = key;
  }

  async load(): Promise<Loaded | NotLoaded> {
    const first = this.#objects.size === 0;
    let result: Loaded | NotLoaded;
    try {
      await this.#fetch();
      result = this.#check();
      this.#failure = '';
    } catch (error) {
      this.#failure = (error as Error).message;
      result = this.#wrong(`cannot be fetched: ${this.#failure}`);
    }
    if (first && !result.ok) result = this.#fromKept(result);
    this.#sources = result.sources;
    if (this.#reloading) this.#loaded = this.#objects;
    this.#reloading = false;
    return result;
  }

  accepted(): string | undefined {
    const folder = this.#options.keep;
    if (folder === undefined || this.#loaded.size === 0) return undefined;
    const objects = [...this.#loaded].map(([key, { etag, bytes }]) => {
      return { key, etag, text: Buffer.from(bytes).toString('utf8') };
    });
    const kept: Kept = { location: this.#location, objects };
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const path = this.#keptPath(folder);
      writeFileSync(`${path}.new`, JSON.stringify(kept), { mode: 0o600 });
      renameSync(`${path}.new`, path);
      return undefined;
    } catch (error) {
      return `${this.#location} cannot be kept in ${folder}: ${(error as Error).message}; without the bucket there is no restart`;
    }
  }

  watch(changed: () => void): Watched {
    const files = watchFiles(() => this.#sources, WATCH_MS, changed);
    let busy = false;
    const timer = setInterval(async () => {
      if (busy) return;
      busy = true;
      const before = this.#failure;
      try {
        await this.#fetch();
        if (before !== '' || stampOf(this.#objects) !== stampOf(this.#loaded)) changed();
      } catch (error) {
        // Told once: the old configuration goes on, and the reason is where every refused reload's is.
        if ((error as Error).message !== before) changed();
      }
      busy = false;
    }, this.#options.pollMs);
    timer.unref();
    return {
      seen: () => {
        this.#reloading = true;
        files.seen();
      },
      stop() {
        clearInterval(timer);
        files.stop();
      },
    };
  }

  /** Brings the objects up to date. */
  async #fetch(): Promise<void> {
    const folder = this.#key === '' || this.#key.endsWith('/');
    if (!folder) {
      const found = await this.#bucket.get(this.#key, this.#objects.get(this.#key)?.etag);
      if (found) this.#objects = new Map([[this.#key, found]]);
      return;
    }
    const listed = [...(await this.#bucket.list(this.#key))].filter(([key]) =>
      /\/?[^./][^/]*\.(ya?ml|json)$/.test(key),
    );
    if (listed.length === 0) throw new Error('it has no .yaml, .yml or .json object under this name');
    if (listed.length > MAX_FRAGMENTS) throw new Error(`it has more than ${MAX_FRAGMENTS} objects under this name`);
    const objects = new Map<string, BucketObject>();
    for (const [key, etag] of listed.sort(([a], [b]) => (a < b ? -1 : 1))) {
      const old = this.#objects.get(key);
      const same = old !== undefined && old.etag === etag;
      const now = same ? old : await this.#bucket.get(key);
      if (now) objects.set(key, { etag, bytes: now.bytes });
    }
    // All or nothing: half a listing is no configuration.
    this.#objects = objects;
  }

  #check(): Loaded | NotLoaded {
    const bucket = this.#location.slice(0, this.#location.length - this.#key.length);
    return loadTexts(new Map([...this.#objects].map(([key, { bytes }]) => [bucket + key, bytes])), {
      env: this.#options.env,
    });
  }

  #wrong(message: string): NotLoaded {
    const problems = [{ file: this.#location, line: 1, column: 1, path: '', message }];
    return { ok: false, problems, warnings: [], sources: [...this.#sources] };
  }

  /** At the start, when the bucket gives nothing of use: what was in force before. */
  #fromKept(wrong: NotLoaded): Loaded | NotLoaded {
    const folder = this.#options.keep;
    if (folder === undefined) return wrong;
    const fetched = this.#objects;
    try {
      const kept = JSON.parse(readFileSync(this.#keptPath(folder), 'utf8')) as Kept;
      this.#objects = new Map(kept.objects.map(({ key, etag, text }) => [key, { etag, bytes: Buffer.from(text) }]));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return wrong;
      return this.#also(wrong, `cannot be read: ${(error as Error).message}`);
    }
    const result = this.#check();
    if (!result.ok) {
      this.#objects = fetched;
      return this.#also(wrong, `is wrong: ${result.problems[0]?.message}`);
    }
    const [why] = wrong.problems;
    const message = `the last good copy (${this.#keptPath(folder)}) is served, for the bucket's is of no use: ${why?.message}`;
    return {
      ...result,
      warnings: [...result.warnings, { file: this.#location, line: 1, column: 1, path: '', message }],
    };
  }

  /** The last good copy is of no use either. */
  #also(wrong: NotLoaded, why: string): NotLoaded {
    const message = `the last good copy (${this.#keptPath(this.#options.keep ?? '')}) ${why}`;
    return { ...wrong, problems: [...wrong.problems, ...this.#wrong(message).problems] };
  }

  #keptPath(folder: string): string {
    return join(folder, `${createHash('sha256').update(this.#location).digest('hex').slice(0, 16)}.json`);
  }
}
