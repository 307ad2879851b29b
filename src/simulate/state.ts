/** Counters and histograms, and their two faces: JSON for tests, Prometheus text as vLLM writes it. */

const TTFT_BUCKETS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const TOKEN_BUCKETS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const LATENCY_BUCKETS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

/** Tokens that the pretended cache holds. */
const CACHE_TOKENS = 131_072;

/** A cumulative histogram in seconds. */
class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(seconds: number): void {
    this.#sum += seconds;
    this.#count++;
    let i = 0;
    while (i < this.#bounds.length && seconds > (this.#bounds[i] as number)) i++;
    if (i < this.#bounds.length) this.#counts[i] = (this.#counts[i] as number) + 1;
  }

  lines(name: string, labels: string): string {
    let text = '';
    let total = 0;
    for (let i = 0; i < this.#bounds.length; i++) {
      total += this.#counts[i] as number;
      text += `${name}_bucket{${labels},le="${this.#bounds[i]}"} ${total}\n`;
    }
    text += `${name}_bucket{${labels},le="+Inf"} ${this.#count}\n`;
    return `${text}${name}_sum{${labels}} ${this.#sum}\n${name}_count{${labels}} ${this.#count}\n`;
  }
}

/** What one model has done. */
export class ModelState {
  readonly name: string;
  running = 0;
  waiting = 0;
  promptTokens = 0;
  cachedTokens = 0;
  generationTokens = 0;
  /** Prompt and output tokens of the requests under way. */
  heldTokens = 0;
  readonly ended = { stop: 0, length: 0, abort: 0, error: 0 };
  readonly ttft = new Histogram(TTFT_BUCKETS);
  readonly perToken = new Histogram(TOKEN_BUCKETS);
  readonly latency = new Histogram(LATENCY_BUCKETS);
  readonly queueTime = new Histogram(LATENCY_BUCKETS);

  constructor(name: string) {
    this.name = name;
  }
}

/** A client that left before its answer was complete. */
export interface Cancel {
  /** When it was noticed: wall clock, milliseconds since 1970. */
  at: number;
  model: string;
  path: string;
  /** Tokens generated up to then. */
  tokens: number;
}

/** What `GET /simulate/state` shows. */
export interface SimulatorState {
  connections: number;
  connectionsTotal: number;
  requests: number;
  /** Answers under way, those that wait for a place excluded. */
  open: number;
  waiting: number;
  completed: number;
  cancelled: number;
  /** Tokens generated for clients that left. */
  cancelledTokens: number;
  lastCancel: Cancel | null;
  promptTokens: number;
  generationTokens: number;
  /** Requests that came over a connection which a fault had made unusable. */
  reusedAfterFault: number;
  /** How often each fault was played. */
  faults: Record<string, number>;
  healthStatus: number;
  fail: string[];
}

const HELP: [name: string, type: string, help: string, value: (m: ModelState) => number][] = [
  ['num_requests_running', 'gauge', 'Number of requests in model execution batches.', (m) => m.running],
  ['num_requests_waiting', 'gauge', 'Number of requests waiting to be processed.', (m) => m.waiting],
  ['kv_cache_usage_perc', 'gauge', 'KV-cache usage. 1 means 100 percent usage.', (m) => usage(m)],
  ['gpu_cache_usage_perc', 'gauge', 'GPU KV-cache usage. 1 means 100 percent usage.', (m) => usage(m)],
  ['prompt_tokens_total', 'counter', 'Number of prefill tokens processed.', (m) => m.promptTokens],
  ['generation_tokens_total', 'counter', 'Number of generation tokens processed.', (m) => m.generationTokens],
  ['prefix_cache_queries_total', 'counter', 'Prefix cache queries, in queried tokens.', (m) => m.promptTokens],
  ['prefix_cache_hits_total', 'counter', 'Prefix cache hits, in cached tokens.', (m) => m.cachedTokens],
];

function usage(model: ModelState): number {
  return Math.min(1, model.heldTokens / CACHE_TOKENS);
}

const label = (model: ModelState): string => `engine="0",model_name=${JSON.stringify(model.name)}`;

/** Prometheus text exposition with the names that vLLM uses. */
export function metricsText(models: Iterable<ModelState>): string {
  const all = [...models];
  let text = '';
  for (const [name, type, help, value] of HELP) {
    text += `# HELP vllm:${name} ${help}\n# TYPE vllm:${name} ${type}\n`;
    for (const model of all) text += `vllm:${name}{${label(model)}} ${value(model)}\n`;
  }
  text += '# HELP vllm:request_success_total Count of successfully processed requests.\n';
  text += '# TYPE vllm:request_success_total counter\n';
  for (const model of all) {
    for (const [reason, count] of Object.entries(model.ended)) {
      text += `vllm:request_success_total{${label(model)},finished_reason="${reason}"} ${count}\n`;
    }
  }
  for (const [name, help, key] of [
    ['time_to_first_token_seconds', 'Histogram of time to first token in seconds.', 'ttft'],
    ['inter_token_latency_seconds', 'Histogram of inter-token latency in seconds.', 'perToken'],
    ['e2e_request_latency_seconds', 'Histogram of end to end request latency in seconds.', 'latency'],
    ['request_queue_time_seconds', 'Histogram of time spent in WAITING phase for request.', 'queueTime'],
  ] as const) {
    text += `# HELP vllm:${name} ${help}\n# TYPE vllm:${name} histogram\n`;
    for (const model of all) text += model[key].lines(`vllm:${name}`, label(model));
  }
  return text;
}
