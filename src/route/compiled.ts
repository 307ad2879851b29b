/** One route, ready to be matched and applied. */
import type { RequestHead } from '../kernel/exchange.ts';
import { PRIORITIES } from '../kernel/priority.ts';
import { type Conditions, compileConditions } from './condition.ts';
import type { RouteConfig } from './config.ts';
import type { PathRule } from './pattern.ts';
import { compileFields, compilePathRewrite, type FieldChanges, type PathRewrite, rewriteTarget } from './rewrite.ts';

/** A route with one of its paths. Routes with several paths have one for each, with the same `index` and `config`. */
export class CompiledRoute {
  /** Place in the configuration's list. */
  readonly index: number;
  readonly name: string;
  readonly config: RouteConfig;
  readonly path: PathRule;
  readonly conditions: Conditions;
  /** This route also asks for the body's model: peek it, then call `matchModel`. */
  readonly needsModel: boolean;
  /** A model picks the upstream here (`models` is set), so the body's model is wanted even where it decides no match. */
  readonly servesModels: boolean;
  /** Host field to send upstream, or undefined. */
  readonly host: string | undefined;
  /** Importance, from 0 to 100; undefined: it says nothing. */
  readonly priority: number | undefined;
  readonly requestFields: FieldChanges | undefined;
  readonly responseFields: FieldChanges | undefined;
  readonly #priorityField: string | undefined;
  readonly #rewrite: PathRewrite | undefined;
  readonly #models: ReadonlySet<string>;

  /** Throws an Error for what `checkRoutes` reports. */
  constructor(index: number, config: RouteConfig, path: PathRule) {
    this.index = index;
    this.name = config.name;
    this.config = config;
    this.path = path;
    this.conditions = compileConditions(config.match);
    this.needsModel = this.conditions.model !== undefined;
    this.servesModels = config.models !== undefined;
    this.host = config.rewrite?.host;
    this.priority = config.priority;
    this.#priorityField = config.priorityHeader?.toLowerCase();
    this.requestFields = compileFields(config.rewrite?.requestHeaders);
    this.responseFields = compileFields(config.rewrite?.responseHeaders);
    const rewrite = config.rewrite?.path === undefined ? undefined : compilePathRewrite(config.rewrite.path, path);
    if (typeof rewrite === 'string') throw new Error(`route ${config.name}: ${rewrite}`);
    this.#rewrite = rewrite;
    this.#models = new Set(config.models ?? []);
  }

  /** The path to send upstream, without the query; undefined where it goes as it came. */
  rewrittenPath(head: RequestHead): string | undefined {
    if (this.#rewrite === undefined) return undefined;
    const target = this.rewriteTarget(head);
    return target.slice(0, target.length - (head.target.length - head.path.length));
  }

  /** The target to send upstream: rewritten path and the query as it came; without a rewrite the target itself. */
  rewriteTarget(head: RequestHead): string {
    if (this.#rewrite === undefined || head.path.charCodeAt(0) !== 0x2f) return head.target;
    return rewriteTarget(this.#rewrite, head);
  }

  /** Importance that a client asks for, by a word or a whole number; infinite where it asks for none that is known. */
  askedPriority(head: RequestHead): number {
    const text = this.#priorityField === undefined ? undefined : head.get(this.#priorityField);
    if (text === undefined) return Number.POSITIVE_INFINITY;
    if (text === 'realtime' || text === 'batch' || text === 'test') return PRIORITIES[text];
    return /^\d{1,3}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  }

  /** Whether `models` of this route lists the model, or all. */
  allowsModel(model: string): boolean {
    return this.#models.has(model) || this.#models.has('*');
  }
}
