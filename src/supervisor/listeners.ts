/** The bound addresses of one configuration, and the step to the next: what stays is kept, what is new is bound first. */
import type { Bound } from './bind.ts';
import { BindError, bind } from './bind.ts';
import { adopt, descriptorOf, type Inherited } from './inherit.ts';

/** One listener as the workers are to have it. */
export interface Listening {
  listener: string;
  /** Where it really is, port 0 resolved. */
  address: string;
  handle: object;
}

/** A step that has been prepared: new addresses are bound, nothing old is closed yet. */
export interface ListenerPlan {
  listeners: Listening[];
  /** Goes over to it: closes what is no longer wanted. */
  commit(): void;
  /** Closes what was bound for it; the old set stays. */
  rollback(): void;
}

/** All sockets that this process has bound, by the address that was asked for. */
export class Listeners {
  #bound = new Map<string, Bound>();
  /** Handed down and not claimed yet. */
  #inherited: { from: Inherited; bound: Bound }[];

  /** `inherited`: sockets that were bound for us. Throws an `Error` when one is no socket. */
  constructor(inherited: readonly Inherited[] = []) {
    this.#inherited = inherited.map((from) => ({ from, bound: adopt(from, '') }));
  }

  /** Prepares for `wanted` (listener name → settings). Throws `BindError` when one cannot be bound; nothing changes then. */
  async plan(wanted: Record<string, { address: string }>): Promise<ListenerPlan> {
    const next = new Map<string, Bound>();
    const fresh: Bound[] = [];
    const listeners: Listening[] = [];
    const rollback = () => {
      for (const bound of fresh) bound.close();
    };
    try {
      for (const [listener, { address }] of Object.entries(wanted)) {
        const setting = `listeners.${listener}.address`;
        if (next.has(address) && !address.endsWith(':0')) {
          throw new BindError('EADDRINUSE', `${setting}: ${address} is already the address of another listener`);
        }
        // Port 0 asks for a port of its own each time, so it is kept by name.
        const key = address.endsWith(':0') ? `${listener} ${address}` : address;
        let bound = this.#bound.get(key);
        if (!bound) {
          bound = this.#claim(key, listener, address) ?? (await bind(address, setting));
          fresh.push(bound);
        }
        next.set(key, bound);
        listeners.push({ listener, address: bound.address, handle: bound.handle });
      }
    } catch (error) {
      rollback();
      throw error;
    }
    const commit = () => {
      for (const [key, bound] of this.#bound) if (next.get(key) !== bound) bound.close();
      this.#bound = next;
    };
    return { listeners, commit, rollback };
  }

  /** Takes the inherited socket that is for this listener: by key, by name, or by where it is. */
  #claim(key: string, listener: string, address: string): Bound | undefined {
    const at = this.#inherited.findIndex(({ from, bound }) => {
      return from.name === key || from.name === listener || bound.address === address.replace(/^\*?:/, '[::]:');
    });
    if (at < 0) return undefined;
    const { bound } = this.#inherited.splice(at, 1)[0]!;
    return bound.address === '' ? { ...bound, address } : bound;
  }

  /** Closes what was handed down and nobody claimed; returns what to say of each. */
  refuseSurplus(): string[] {
    return this.#inherited.splice(0).map(({ from, bound }) => {
      bound.close();
      return `the socket ${bound.address || from.name} was handed down, but no listener is for it: it is closed`;
    });
  }

  /** All sockets, for the program that takes over. */
  handDown(): Inherited[] {
    return [...this.#bound].map(([name, { handle, address }]) => ({ fd: descriptorOf(handle), name, address }));
  }

  /** Closes our copies of all. The kernel refuses from when the last worker has closed its copy. */
  close(): void {
    for (const bound of this.#bound.values()) bound.close();
    this.#bound.clear();
  }
}
