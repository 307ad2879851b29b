/**
 * What runs in the supervisor beside the supervisor: the store and its directory, tokens, certificates, limits, queues, the ledger of usage. Each is
 * kept in step with the configuration, and none is on the way of a request.
 */
import type { Config } from '../config/config.ts';
import { dataFolder } from '../config/config.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Events, NoticeEvent } from '../kernel/event.ts';
import type { Overview } from '../observe/observe.ts';
import { TokenAuthority } from '../policy/access/jwt/authority.ts';
import { Registry } from '../policy/authorize/authorize.ts';
import type { Services } from '../supervisor/supervisor.ts';
import { certificatesFor } from './certificates.ts';
import { CountDesk } from './countdesk.ts';
import { claimData } from './dataclaim.ts';
import { keyCopies } from './keycopies.ts';
import { ledgerOn } from './ledgeron.ts';
import { NodeLimits } from './nodelimits.ts';
import { NodeQueues } from './nodequeues.ts';
import { NodeRoll } from './noderoll.ts';
import { NodeUsage } from './nodeusage.ts';
import { RedisLinks } from './redislinks.ts';
import { State, type StateParts } from './state.ts';
import type { Heritage, Predecessor } from './successor.ts';
import { TokenDesk } from './tokendesk.ts';

/** What they are made of. */
export interface DesksParts {
  clock: Clock;
  events: Events;
  services: Services;
  notice(notice: NoticeEvent): void;
  /** Where the supervisor's own metrics are counted. */
  own: Overview['metrics'];
  config: Config;
  env: NodeJS.ProcessEnv;
  /** Name of this start, which journals of usage of its workers begin with. */
  owner: string;
}

/** A configuration with the contents of the files that it names. */
interface Loaded {
  config: Config;
  files: Record<string, string>;
}

/** See the file's head. */
export class Desks {
  readonly kept: State;
  readonly limits: NodeLimits;
  readonly queues: NodeQueues;
  readonly usage: NodeUsage;
  readonly #certificates: ReturnType<typeof certificatesFor>;
  readonly #links: RedisLinks;
  readonly #tokens: TokenAuthority;
  readonly #issuer: TokenDesk;
  readonly #own: Overview['metrics'];
  readonly #folder: string;
  readonly #notice: DesksParts['notice'];
  readonly #count: CountDesk;

  constructor({ clock, events, services, notice, own, config, env, owner }: DesksParts) {
    this.#own = own;
    this.#notice = notice;
    const certificates = certificatesFor(clock, services, notice, own);
    const registry = new Registry();
    const links = new RedisLinks(clock, notice, config);
    const folder = dataFolder(env);
    this.#folder = folder;
    const redis = () => links.limits();
    const synced = () => own.directorySynced();
    const health = own.store;
    const domains: StateParts['domains'] = (changes) => certificates.setDomains(changes);
    const kept = new State({ registry, clock, events, services, notice, folder, synced, health, domains });
    const tokens = new TokenAuthority(
      clock,
      events,
      services,
      keyCopies(() => kept.store),
      () => links.proofs(),
    );
    this.#certificates = certificates;
    this.#links = links;
    this.kept = kept;
    const roll = new NodeRoll({
      folder,
      notice,
      orphans: () => limits.rules.some(({ budget }) => budget !== undefined) && this.usage.reader.beside(owner),
    });
    this.limits = new NodeLimits({ clock, config, services, registry, notice, redis, folder, roll });
    const { limits } = this;
    this.queues = new NodeQueues(clock, config, services, notice, () => limits.status().store?.nodes ?? 0);
    this.usage = new NodeUsage({ clock, folder, owner, limits, store: () => kept.store, notice, metrics: own.usage });
    this.#count = new CountDesk({ clock, services, notice });
    this.#tokens = tokens;
    this.#issuer = new TokenDesk({ clock, services, authority: tokens, notice }, () => kept.store, own.tokens);
  }

  /** Before the first worker: rejects when something cannot be had. `before`: the process whose place we take. */
  async start({ config, files }: Loaded, before: Predecessor | undefined): Promise<void> {
    if (before !== undefined) this.#certificates.takeOver(await before.tickets());
    await this.#certificates.start(config, files);
    if (ledgerOn(config)) claimData(this.#folder, process.ppid, this.#notice);
    await this.kept.prepare(config);
    await this.#issuer.configure(config);
    await this.#count.prepare(config);
    this.#count.settle(true);
    await this.limits.start(before);
    await this.usage.start();
  }

  /** The workers serve. */
  begin(): void {
    this.#certificates.begin();
  }

  /** A configuration is about to be tried; rejects when something for it cannot be had. */
  async prepare(config: Config): Promise<void> {
    this.#links.prepare(config);
    this.limits.prepare(config);
    this.queues.prepare(config);
    await this.kept.prepare(config);
    await this.#count.prepare(config);
    // Before the workers take tokens of new issuers.
    await this.#issuer.configure(config);
  }

  /** It is in force, or was refused. `now`: what is in force. */
  async settle(accepted: boolean, now: Loaded): Promise<void> {
    if (accepted) await this.#certificates.update(now.config, now.files);
    this.#links.settle(accepted);
    this.limits.settle(accepted);
    this.queues.settle(accepted);
    this.#count.settle(accepted);
    if (!accepted) await this.#issuer.configure(now.config);
    await this.#issuer.settle();
  }

  /** A worker has gone for good. */
  gone(worker: number, pid: number): void {
    this.limits.gone(worker);
    this.usage.gone(worker, pid);
    this.queues.gone(worker);
  }

  /** Brings metrics up to date. */
  measure(): void {
    this.#own.tokens.read(this.#tokens.status());
    this.#own.limits.read(this.limits.status());
    this.usage.measure();
    this.#own.places.read(this.queues.authority.standings());
  }

  /** For another process that is to take over. */
  get heritage(): Heritage {
    return {
      tickets: () => this.#certificates.handOver(),
      counted: (send) => this.limits.handOver(send),
      hear: (word) => this.limits.relay.hear(word),
    };
  }

  /** Another process takes over, or everything ends: certificates are renewed by somebody else. */
  leave(): void {
    this.#certificates.stop();
  }

  /** It did not: we go on. */
  async comeBack({ config, files }: Loaded): Promise<void> {
    await this.#certificates.start(config, files);
  }

  /** The workers have ended. */
  async close(): Promise<void> {
    this.#certificates.stop();
    this.queues.close();
    await this.usage.close();
    await this.kept.close();
    this.#issuer.close();
    await this.#count.close();
    await this.limits.close();
    this.#links.close();
  }
}
