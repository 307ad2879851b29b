/** The routes of the `routes` scenario: hosts × paths. */

/** One route: an exact host and a path prefix that ends in a slash. */
export interface BenchRoute {
  number: number;
  host: string;
  path: string;
}

/** Calls `visit` for every route. */
export function eachRoute(routes: { hosts: number; paths: number }, visit: (route: BenchRoute) => void): void {
  let number = 0;
  for (let host = 0; host < routes.hosts; host++) {
    for (let path = 0; path < routes.paths; path++) {
      visit({ number: number++, host: `h${host}.bench`, path: `/p${path}/` });
    }
  }
}

/** Hosts of the route that asks who calls, where there is one, and of the one beside it that lets everybody in. */
export const HOSTS = { guarded: 'gateway.bench', open: 'openway.bench' };
