/** Mistakes that no single value shows: names that nothing bears, two things in one place, parts that nobody uses. */
import { isIP } from 'node:net';
import type { ListenerConfig } from '../listen/config.ts';
import type { ChaosConfig } from '../policy/chaos/config.ts';
import type { ModelConfig } from '../route/config.ts';
import type { UpstreamConfig } from '../upstream/config.ts';
import { checkAccess } from './accesscheck.ts';
import { overlap, parseAddress } from './address.ts';
import { checkAdmin } from './admincheck.ts';
import { checkClasses } from './classcheck.ts';
import { checkLimits } from './limitcheck.ts';
import { suggestion } from './nearest.ts';
import type { Parts } from './parts.ts';
import { checkPlans } from './plancheck.ts';
import { checkPrices } from './pricecheck.ts';
import type { Path, Report } from './problem.ts';
import { checkResilience } from './resiliencecheck.ts';
import { checkUnknown } from './unknowncheck.ts';

/** Bytes below which a worker that does nothing is near its limit: it holds about 100 MiB. */
const LEAST_MEMORY = 128 * 2 ** 20;

/** Reports what the parts get wrong about each other. */
export function crosscheck(parts: Parts, report: Report): void {
  checkAddresses(parts, report);
  for (const [name, listener] of parts.listeners) checkHops(['listeners', name, 'trustedHops'], listener, report);
  for (const [name, upstream] of parts.upstreams) checkUpstream(['upstreams', name], upstream, parts, report);
  for (const [name, model] of parts.models) {
    checkModel(['models', name], model, parts, report);
    checkClasses(['models', name], name, model, parts, report);
  }
  if (parts.whole) checkUse(parts, report);
  checkProtocols(parts, report);
  checkAccess(parts, report);
  checkPrices(parts, report);
  checkLimits(parts, report);
  checkUnknown(parts, report);
  checkAdmin(parts, report);
  checkPlans(parts, report);
  if (parts.chaos !== undefined) checkChaos(parts.chaos, parts, report);
  for (const [path, bytes] of parts.memoryLimits) {
    if (bytes > 0 && bytes < LEAST_MEMORY)
      report.warn(path, 'a worker that does nothing holds about 100MiB already; set it to 256MiB or more');
  }
}

function checkChaos(chaos: ChaosConfig, parts: Parts, report: Report): void {
  const routes = parts.routes.map(([, route]) => route.name);
  const names = new Set<string>();
  chaos.rules.forEach((rule, i) => {
    const here = ['chaos', 'rules', i];
    if (names.has(rule.name)) report.at([...here, 'name'], `two faults are named "${rule.name}"; rename one`);
    names.add(rule.name);
    for (const route of [rule.route ?? []].flat()) {
      if (routes.includes(route)) continue;
      report.at([...here, 'route'], `no route is named "${route}"; ${suggestion(route, routes, 'routes')}`);
    }
  });
  if (chaos.rules.length > 0 || chaos.byHeader) {
    report.warn(['chaos'], 'faults are injected into real requests, until this is taken out', 'key');
  }
}

function checkAddresses(parts: Parts, report: Report): void {
  const taken: { address: string; what: string; path: Path }[] = parts.listeners.map(([name, listener]) => ({
    address: listener.address,
    what: `listener "${name}"`,
    path: ['listeners', name, 'address'],
  }));
  if (parts.adminAddress !== undefined) {
    taken.push({ address: parts.adminAddress, what: 'the admin port', path: ['admin', 'address'] });
  }
  const seen: { place: ReturnType<typeof parseAddress>; what: string; address: string }[] = [];
  for (const { address, what, path } of taken) {
    const place = parseAddress(address);
    if (place.problem !== undefined) report.at(path, place.problem);
    const other = seen.find((s) => overlap(s.place, place));
    if (other !== undefined) {
      report.at(
        path,
        `${address} is taken by ${other.what} (${other.address}); give one of them another ${place.unix ? 'path' : 'port'}`,
      );
    }
    seen.push({ place, what, address });
  }
}

function checkHops(path: Path, listener: ListenerConfig, report: Report): void {
  listener.trustedHops.forEach((hop, i) => {
    const [address = '', bits] = hop.split('/');
    const most = isIP(address) === 6 ? 128 : 32;
    if (hop === 'unix' || (isIP(address) !== 0 && Number(bits ?? 0) <= most)) return;
    report.at([...path, i], `"${hop}" is no IP address or network; write one such as 10.0.0.1, 10.0.0.0/8 or fd00::/8`);
  });
}

function checkUpstream(path: Path, upstream: UpstreamConfig, parts: Parts, report: Report): void {
  const urls = new Map<string, number>();
  const names = new Map<string, number>();
  upstream.endpoints.forEach((endpoint, i) => {
    const here = [...path, 'endpoints', i];
    const url = normalUrl(endpoint.url);
    if (url === undefined) {
      report.at(
        [...here, 'url'],
        `"${endpoint.url}" is not a URL that can be connected to; check host and port (1 to 65535)`,
      );
    } else if (urls.has(url)) {
      report.at(
        [...here, 'url'],
        `endpoint ${endpoint.url} stands twice in this upstream; take one out, or give it a higher weight`,
      );
    }
    urls.set(url ?? endpoint.url, i);
    if (endpoint.name === undefined) return;
    if (names.has(endpoint.name))
      report.at([...here, 'name'], `two endpoints of this upstream are named "${endpoint.name}"; rename one`);
    names.set(endpoint.name, i);
  });
  if (parts.partial.has(upstream)) return;
  if (upstream.endpoints.every((endpoint) => endpoint.weight === 0)) {
    report.warn([...path, 'endpoints'], 'every endpoint has weight 0, so none gets requests', 'key');
  }
  if (upstream.queue.scope === 'shared' && !parts.redis) {
    report.at([...path, 'queue', 'scope'], 'nobody to share it with: nodes know of each other by "redis"; add that');
  }
  checkResilience(path, upstream, report);
  const { tls, health } = upstream;
  if (tls.key !== undefined && tls.certificate === undefined) {
    report.at(
      [...path, 'tls', 'key'],
      'a key without its certificate; add "certificate" (a PEM file), or take the key out',
      'key',
    );
  }
  if (tls.certificate !== undefined && tls.key === undefined) {
    report.at(
      [...path, 'tls', 'certificate'],
      'a certificate without its key; add "key" (a PEM file), or take the certificate out',
      'key',
    );
  }
  const secure = upstream.endpoints.some((endpoint) => endpoint.url.startsWith('https:'));
  if (!secure && (tls.ca !== undefined || tls.certificate !== undefined || tls.serverName !== undefined)) {
    report.warn([...path, 'tls'], 'no endpoint has an https URL, so these settings do nothing', 'key');
  }
  if (secure && !tls.verify) {
    report.warn(
      [...path, 'tls', 'verify'],
      'certificates are not verified: anyone on the way can read and change what is sent; set "ca" instead',
      'key',
    );
  }
  if (health !== undefined && health.timeout > health.interval) {
    report.warn(
      [...path, 'health', 'timeout'],
      'a probe may take longer than the interval; probes of a slow server will be late',
      'key',
    );
  }
}

/** The URL in one written form; undefined when it cannot be one. */
function normalUrl(text: string): string | undefined {
  if (text.startsWith('unix:')) return text.replace(/\/$/, '');
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url === undefined || url.port === '0' ? undefined : url.href;
}

function checkModel(path: Path, model: ModelConfig, parts: Parts, report: Report): void {
  const names = new Set<string>();
  model.versions.forEach((version, i) => {
    const here = [...path, 'versions', i];
    if (names.has(version.name))
      report.at([...here, 'name'], `two versions of this model are named "${version.name}"; rename one`);
    names.add(version.name);
    if (!parts.upstreamNames.includes(version.upstream)) {
      report.at(
        [...here, 'upstream'],
        `no upstream is named "${version.upstream}"; ${suggestion(version.upstream, parts.upstreamNames, 'upstreams')}`,
      );
    }
  });
  if (model.versions.every((version) => version.weight === 0)) {
    report.at([...path, 'versions'], 'every version has weight 0, so none could answer; give one a weight', 'key');
  }
}

/** Models whose answers nobody reads: served, but without a token in metrics or log. */
function checkProtocols(parts: Parts, report: Report): void {
  const serving = new Set(parts.models.flatMap(([, model]) => model.versions.map((version) => version.upstream)));
  for (const [name, { protocol }] of parts.upstreams) {
    if (protocol !== 'http' || !serving.has(name)) continue;
    const remedy = 'set "protocol" to the API that the servers speak to see them';
    report.warn(['upstreams', name], `models are served from here, but their tokens are not read; ${remedy}`, 'key');
  }
}

function checkUse(parts: Parts, report: Report): void {
  const used = new Set<string>();
  const asked = new Set(parts.routes.flatMap(([, route]) => route.models ?? []));
  for (const [, route] of parts.routes) if (route.upstream !== undefined) used.add(route.upstream);
  for (const [name, model] of parts.models) {
    for (const version of model.versions) used.add(version.upstream);
    if (!asked.has(name) && !asked.has('*')) {
      report.warn(
        ['models', name],
        'no route offers this model; add it to the "models" of a route, or take it out',
        'key',
      );
    }
  }
  for (const [name] of parts.upstreams) {
    if (!used.has(name))
      report.warn(['upstreams', name], 'no route or model uses this upstream; take it out, or name it in one', 'key');
  }
}
