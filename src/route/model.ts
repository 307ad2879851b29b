/** Models and their versions: which version answers a request. No I/O. */
import type { Clock } from '../kernel/clock.ts';
import { hashString } from '../kernel/hash.ts';
import type { ModelConfig } from './config.ts';
import { Split } from './split.ts';

/** One version of a model. */
export interface CompiledVersion {
  readonly name: string;
  readonly upstream: string;
  /** What the upstream calls the model, when it differs. */
  readonly model: string | undefined;
  /** Who counts its tokens where the upstream does not say; undefined when it is not set. */
  readonly tokenizer: string | undefined;
  /** Relative to the other versions; moved by `CompiledModel.setWeights`. */
  readonly weight: number;
}

/** Where the key that keeps a caller on one version comes from. */
export interface StickySource {
  readonly from: 'key' | 'user' | 'ip' | 'header';
  /** Field name in lower case, for `header`. */
  readonly header: string;
}

/** `key`, `user`, `ip` or `header:NAME` → source; undefined when it is none of these. */
export function parseSticky(text: string): StickySource | undefined {
  const match = /^(key|user|ip|header)(?::([A-Za-z0-9-]+))?$/.exec(text);
  const from = match?.[1] as StickySource['from'] | undefined;
  if (!from || (from === 'header') !== (match?.[2] !== undefined)) return undefined;
  return { from, header: (match?.[2] ?? '').toLowerCase() };
}

/** A model that clients may name. */
export class CompiledModel {
  readonly name: string;
  readonly config: ModelConfig;
  /** In the order of the file. */
  readonly versions: readonly CompiledVersion[];
  /** Where the sticky key comes from; undefined: no stickiness, pass no key. */
  readonly sticky: StickySource | undefined;
  readonly #versions: { -readonly [K in keyof CompiledVersion]: CompiledVersion[K] }[];
  readonly #seed: number;
  readonly #split: Split;
  /** Upper end of each version's part of the hash space, 0 … 2³². */
  readonly #upper: Float64Array;

  /** Throws an Error when all weights are 0. */
  constructor(name: string, config: ModelConfig, clock: Clock) {
    this.name = name;
    this.config = config;
    this.#versions = config.versions.map(({ name, upstream, model, weight, tokenizer = config.tokenizer }) => ({
      name,
      upstream,
      model,
      weight,
      tokenizer,
    }));
    this.versions = this.#versions;
    this.sticky = config.sticky === undefined ? undefined : parseSticky(config.sticky);
    this.#seed = hashString(name);
    this.#upper = new Float64Array(this.versions.length);
    this.#move();
    // Workers begin at different places of the round, so that their first requests do not all go the same way.
    this.#split = new Split(this.#weights(), clock.random());
  }

  /**
   * The version that answers. Without a key: exact shares over any 1,000 requests. With one: always the same version
   * for the same key while the weights stand; versions own stretches of the hash space in the order of the file, so
   * weight that moves between neighbours moves only that share of the keys.
   */
  pick(stickyKey: string | undefined): CompiledVersion {
    if (stickyKey === undefined) return this.versions[this.#split.next()] as CompiledVersion;
    const hash = hashString(stickyKey, this.#seed);
    const upper = this.#upper;
    let i = 0;
    while (hash >= (upper[i] as number)) i++;
    return this.versions[i] as CompiledVersion;
  }

  /**
   * Moves weights at run time, by version name; versions that are not named keep theirs. Requests under way are not
   * touched. Throws an Error for an unknown version, a weight that is no number ≥ 0, or when none would be above 0.
   */
  setWeights(weights: Readonly<Record<string, number>>): void {
    for (const [name, weight] of Object.entries(weights)) {
      if (!this.versions.some((version) => version.name === name)) {
        const known = this.versions.map((version) => version.name).join(', ');
        throw new Error(`model ${this.name} has no version ${name}; it has ${known}`);
      }
      if (!(weight >= 0 && weight <= 1e6)) throw new Error(`weight of ${this.name} ${name} must be 0 or more`);
    }
    const previous = this.#weights();
    for (const version of this.#versions) {
      if (Object.hasOwn(weights, version.name)) version.weight = weights[version.name] ?? 0;
    }
    try {
      this.#move();
    } catch (error) {
      for (const [i, version] of this.#versions.entries()) version.weight = previous[i] ?? 0;
      throw error;
    }
    this.#split.set(this.#weights());
  }

  /** Each version's part of the requests, 0 … 1, in the order of `versions`. */
  shares(): number[] {
    const weights = this.#weights();
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }

  #weights(): number[] {
    return this.versions.map((version) => version.weight);
  }

  #move(): void {
    const weights = this.#weights();
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total === 0) throw new Error(`model ${this.name}: at least one version needs a weight above 0`);
    let sum = 0;
    for (const [i, weight] of weights.entries()) {
      sum += weight;
      // The quotient is 1 exactly at the end, so the last version with weight takes the whole rest.
      this.#upper[i] = (sum / total) * 2 ** 32;
    }
  }
}

/** The models that clients may name. */
export class ModelTable {
  readonly #models: ReadonlyMap<string, CompiledModel>;

  constructor(models: ReadonlyMap<string, CompiledModel>) {
    this.#models = models;
  }

  /** The model of this name, exactly as written; undefined when there is none. */
  get(name: string): CompiledModel | undefined {
    return this.#models.get(name);
  }

  /** All models, in the order of the file. */
  all(): IterableIterator<CompiledModel> {
    return this.#models.values();
  }
}

/** Compiles models; throws an Error for what `checkModels` reports. `clock` only spreads where workers begin. */
export function compileModels(models: Readonly<Record<string, ModelConfig>>, clock: Clock): ModelTable {
  return new ModelTable(
    new Map(Object.entries(models).map(([name, config]) => [name, new CompiledModel(name, config, clock)])),
  );
}

/** What is wrong with the models, as model name and sentence. */
export function checkModels(models: Readonly<Record<string, ModelConfig>>): { model: string; message: string }[] {
  const issues: { model: string; message: string }[] = [];
  for (const [model, { versions }] of Object.entries(models)) {
    const names = versions.map((version) => version.name);
    for (const name of new Set(names.filter((name, i) => names.indexOf(name) !== i))) {
      issues.push({ model, message: `version ${name} stands twice; give each version its own name` });
    }
    if (versions.every((version) => version.weight === 0)) {
      issues.push({ model, message: 'all weights are 0, so nothing would answer; give one version a weight above 0' });
    }
  }
  return issues;
}
