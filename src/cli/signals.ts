/** What signals do to a command that serves: `serve` and `demo`. */
import type { GatewayParts } from './gateway.ts';
import { startGateway } from './gateway.ts';
import type { Gateway } from './gatewayhandle.ts';

/** Starts the gateway. SIGTERM or SIGINT meanwhile takes down what has come up; undefined then. Rejects as `startGateway`. */
export async function startUnlessStopped(
  parts: Omit<GatewayParts, 'abort'>,
  tell: (text: string) => void,
): Promise<Gateway | undefined> {
  const abort = new AbortController();
  const giveUp = (signal: string) => {
    if (!abort.signal.aborted) tell(`${signal}: stopped before it was ready`);
    abort.abort();
  };
  process.on('SIGTERM', giveUp).on('SIGINT', giveUp);
  try {
    const gateway = await startGateway({ ...parts, abort: abort.signal });
    if (!abort.signal.aborted) return gateway;
    await gateway.stop(0);
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    process.off('SIGTERM', giveUp).off('SIGINT', giveUp);
  }
  return undefined;
}

/** Stops on SIGTERM or SIGINT and exits; a second signal ends at once. `after` runs when the gateway has ended. */
export function stopOnSignal(
  gateway: Gateway,
  tell: (text: string) => void,
  after: () => Promise<void> = async () => {},
): void {
  // Who read our output may leave; that is no reason to stop serving.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  let signals = 0;
  const stop = async (signal: string) => {
    signals++;
    if (signals > 2) return;
    if (signals === 2) {
      tell(`${signal} again: ending at once`);
      gateway.kill();
      return;
    }
    const { drainMs } = gateway;
    tell(`${signal}: draining for at most ${drainMs / 1000} s`);
    const killed = await gateway.stop(drainMs);
    await after();
    if (killed > 0 && signals === 1) tell(`${killed} worker(s) did not end in time and were killed`);
    process.exit(signals > 1 ? 2 : 0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}
