/** What the requests of a scenario look like. */
import { eachRoute, HOSTS } from '../peers/routes.ts';
import type { Scenario } from '../scenarios.ts';

/** The request heads of a scenario: one, or a spread over its callers or routes. */
export function requestHeads(
  scenario: Pick<Scenario, 'routes'>,
  fields: string,
  callers: readonly string[] = [''],
  host: string = HOSTS.guarded,
): string[] {
  const common = `Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: bench/1.0\r\n${fields}`;
  const head = (host: string, path: string) => `POST ${path} HTTP/1.1\r\nHost: ${host}\r\n${common}`;
  if (scenario.routes.hosts === 0) return callers.map((caller) => `${head(host, '/v1/chat/completions')}${caller}`);
  const all: string[] = [];
  eachRoute(scenario.routes, ({ host, path }) => all.push(head(host, `${path}v1/chat/completions`)));
  // Every 37th of them, taken in strides, so that neighbours in the list are not asked for in a row.
  return all.filter((_, at) => at % 37 === 0).sort((a, b) => ((a.length * 7919) % 101) - ((b.length * 7919) % 101));
}
