/** The listeners of a worker: those that accept, and those that only see their connections end. */
import { Listener, type ListenParts } from '../listen/listen.ts';
import { fileReader, type SnapshotInput } from './snapshot.ts';

/** What every listener is made with. */
export interface DoorsParts extends Omit<ListenParts, 'readText' | 'relisten'> {
  /** Asks for the handle of a listener anew. */
  relisten: ((name: string) => void) | undefined;
  /** The snapshot in force. */
  input: () => SnapshotInput;
}

/** See the file's head. */
export class Doors {
  readonly #parts: DoorsParts;
  readonly #listeners = new Map<string, Listener>();
  /** Listeners that accept no more, while they have connections. */
  readonly #leaving = new Set<Listener>();

  constructor(parts: DoorsParts) {
    this.#parts = parts;
  }

  /** Starts accepting on a bound handle (or whatever `net.Server.listen` takes) for the listener of this name. */
  async listen(name: string, target: object): Promise<void> {
    const { relisten, input, ...parts } = this.#parts;
    const { config: configuration, files } = input();
    const config = configuration.listeners[name];
    if (config === undefined) throw new Error(`there is no listener ${name}`);
    const paused = this.#listeners.get(name);
    if (paused?.paused) return paused.listen(target);
    const listener = new Listener(name, config, {
      ...parts,
      readText: fileReader(files),
      relisten: relisten && (() => relisten(name)),
    });
    await listener.listen(target);
    // Another one of this name, on a socket that was bound anew or a handle that came twice, accepts no more.
    this.#listeners.get(name)?.drain();
    this.#listeners.set(name, listener);
  }

  /** Stops accepting on one listener; its connections end after the response under way. */
  unlisten(name: string): void {
    const listener = this.#listeners.get(name);
    listener?.drain();
    this.#listeners.delete(name);
    for (const one of this.#leaving) if (one.connections === 0) this.#leaving.delete(one);
    if (listener !== undefined) this.#leaving.add(listener);
  }

  /** Goes over to a configuration's settings; throws when they cannot be used. */
  update({ config: { listeners }, files }: SnapshotInput): void {
    for (const [name, listener] of this.#listeners) {
      const config = listeners[name];
      if (config !== undefined) listener.update(config, fileReader(files));
    }
  }

  /** Stops accepting everywhere; gives all listeners that may still have connections. */
  drain(): readonly Listener[] {
    for (const listener of this.#listeners.values()) listener.drain();
    return [...this.#listeners.values(), ...this.#leaving];
  }

  /** Address of a listener on TCP. */
  address(name: string): ReturnType<Listener['address']> {
    return this.#listeners.get(name)?.address() ?? null;
  }

  /** Descriptors in use at the listeners that accept. */
  get sockets(): number {
    let sockets = 0;
    for (const listener of this.#listeners.values()) sockets += listener.sockets;
    return sockets;
  }
}
