/** Models and their versions: which version answers a request. No I/O. */
import type { Clock } from '../kernel/clock.ts';
import { hashString } from '../kernel/hash.ts';
import { CLASSES, type ClassName, classOf } from '../kernel/priority.ts';
import type { ModelConfig } from './config.ts';
import { Draw } from './draw.ts';

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
  /** Classes of requests that it serves; undefined: all. */
  readonly classes: readonly ClassName[] | undefined;
  /** Where its requests go that find nothing here; undefined: nowhere. */
  readonly spillover: Spillover | undefined;
}

/** Going over to another version. */
export interface Spillover {
  readonly to: CompiledVersion;
  /** How long a request waits before it waits there as well, in milliseconds. */
  readonly after: number;
}

/** Whether a version serves requests of a class. */
export const serves = ({ classes }: Pick<CompiledVersion, 'classes'>, name: ClassName): boolean =>
  classes === undefined || classes.includes(name);

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
  /** By class; one and the same for all where every version serves all. */
  readonly #draws: readonly Draw[];

  /** Throws an Error when all weights are 0. */
  constructor(name: string, config: ModelConfig, clock: Clock) {
    this.name = name;
    this.config = config;
    this.#versions = config.versions.map(({ name, upstream, model, weight, classes, tokenizer = config.tokenizer }) => {
      return { name, upstream, model, weight, classes, tokenizer, spillover: undefined };
    });
    for (const [i, { spillover }] of config.versions.entries()) {
      const to = this.#versions.find((version) => version.name === spillover?.to);
      const from = this.#versions[i];
      if (from !== undefined && to !== undefined && to !== from) from.spillover = { to, after: spillover?.after ?? 0 };
    }
    this.versions = this.#versions;
    this.sticky = config.sticky === undefined ? undefined : parseSticky(config.sticky);
    this.#seed = hashString(name);
    this.#check();
    // Workers begin at different places of the round, so that their first requests do not all go the same way.
    const start = clock.random();
    if (this.#versions.every(({ classes }) => classes === undefined)) {
      const draw = new Draw(this.#weights(), start);
      this.#draws = CLASSES.map(() => draw);
    } else this.#draws = CLASSES.map((name) => new Draw(this.#weights(name), start));
  }

  /**
   * The version that answers a request of this importance; undefined when none serves its class. Only versions that serve
   * it are drawn from, by their weights among each other. Without a key: exact shares over any 1,000 requests of the class.
   * With one: always the same version for the same key while the weights stand; versions own stretches of the hash space in
   * the order of the file, so weight that moves between neighbours moves only that share of the keys.
   */
  pick(stickyKey: string | undefined, priority: number): CompiledVersion | undefined {
    const draw = this.#draws[classOf(priority)] as Draw;
    if (draw.empty) return undefined;
    return this.versions[stickyKey === undefined ? draw.next() : draw.at(hashString(stickyKey, this.#seed))];
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
      this.#check();
    } catch (error) {
      for (const [i, version] of this.#versions.entries()) version.weight = previous[i] ?? 0;
      throw error;
    }
    // Where all share one draw, all weights are the same, and setting them again changes nothing.
    for (const [i, name] of CLASSES.entries()) this.#draws[i]?.set(this.#weights(name));
  }

  /** Each version's part of the requests, 0 … 1, in the order of `versions`. */
  shares(): number[] {
    const weights = this.#weights();
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => weight / total);
  }

  /** Weights of all versions; 0 for those that do not serve the class. */
  #weights(name?: ClassName): number[] {
    return this.#versions.map((version) => (name === undefined || serves(version, name) ? version.weight : 0));
  }

  #check(): void {
    if (this.#versions.every(({ weight }) => weight === 0))
      throw new Error(`model ${this.name}: at least one version needs a weight above 0`);
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
    for (const { name, spillover } of versions) {
      if (spillover === undefined || (spillover.to !== name && names.includes(spillover.to))) continue;
      issues.push({ model, message: `version ${name} spills over to ${spillover.to}, which is no other version` });
    }
    if (versions.every((version) => version.weight === 0)) {
      issues.push({ model, message: 'all weights are 0, so nothing would answer; give one version a weight above 0' });
    }
  }
  return issues;
}
