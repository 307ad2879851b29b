/** Mistakes of who may come in: doors that nobody can open, keys that nobody is asked for, secrets that stand in the open. */
import type { AccessConfig } from '../policy/access/config.ts';
import { OWN_ISSUER, type TokensConfig } from '../policy/token/config.ts';
import type { RouteConfig } from '../route/config.ts';
import type { Parts } from './parts.ts';
import { type Path, placeOf, type Report } from './problem.ts';

/** Reports what `access` and the routes get wrong about each other. */
export function checkAccess(parts: Parts, report: Report): void {
  const { access } = parts;
  if (access === undefined) return;
  checkKeys(access, report);
  if (parts.tokens !== undefined) checkTokens(parts.tokens, access, parts, report);
  if (parts.signup !== undefined && access.pepper.length === 0) {
    report.at(['signup'], 'the keys of trials are hashed under the pepper; set access.pepper', 'key');
  }
  const asked = new Set(parts.routes.flatMap(([, route]) => route.access?.anyOf ?? []));
  for (const [i, route] of parts.routes) checkDoor(['routes', i, 'access', 'anyOf'], route, parts, report);
  if (!parts.whole) return;
  if (access.keys.length > 0 && !asked.has('apiKey')) {
    report.warn(['access', 'keys'], 'no route asks for a key; add access: { anyOf: [apiKey] } to one', 'key');
  }
  if (Object.keys(access.issuers).length > 0 && !asked.has('jwt')) {
    report.warn(['access', 'issuers'], 'no route asks for a token; add access: { anyOf: [jwt] } to one', 'key');
  }
  if (access.certificates.length > 0 && !asked.has('certificate')) {
    const remedy = 'add access: { anyOf: [certificate] } to one';
    report.warn(['access', 'certificates'], `no route asks for a client certificate; ${remedy}`, 'key');
  }
}

function checkKeys({ keys }: AccessConfig, report: Report): void {
  const names = new Set<string>();
  const hashes = new Map<string, string>();
  keys.forEach(({ id, hash }, i) => {
    const here: Path = ['access', 'keys', i];
    if (names.has(id)) report.at([...here, 'name'], `two keys are named "${id}"; rename one`);
    const same = hashes.get(hash);
    if (same !== undefined) report.at(here, `this is the same key as that of "${same}"; take one out`);
    names.add(id);
    hashes.set(hash, id);
    inTheOpen([...here, 'key'], report);
  });
  inTheOpen(['access', 'pepper'], report);
}

/** Warns of a secret in the file itself, where it ends up in its history, in backups and in tickets. */
export function inTheOpen(path: Path, report: Report): void {
  const { place, found } = placeOf(report.root, path);
  if (!found || place === undefined || place.origin !== undefined || place.failed) return;
  if (place.children !== undefined) {
    for (const i of place.children.keys()) inTheOpen([...path, i], report);
    return;
  }
  report.warn(path, 'a secret stands in the file; keep it in the environment and write `${NAME}` here');
}

/** The token service makes its secrets from the pepper, and is an issuer beside the others. */
function checkTokens(tokens: TokensConfig, access: AccessConfig, parts: Parts, report: Report): void {
  if (access.pepper.length === 0) {
    report.at(['tokens'], 'keys and refresh tokens are made from the pepper; set access.pepper', 'key');
  }
  for (const [name, { issuer }] of Object.entries(access.issuers)) {
    const path: Path = ['access', 'issuers', name];
    if (name === OWN_ISSUER)
      report.at(path, `"${OWN_ISSUER}" is the token service of "tokens"; rename this one`, 'key');
    if (issuer === tokens.issuer) report.at([...path, 'issuer'], 'this is the token service of "tokens"; take it out');
  }
  tokens.clients.forEach((_, i) => {
    inTheOpen(['tokens', 'clients', i, 'secret'], report);
  });
  if (parts.whole && !parts.routes.some(([, { service }]) => service === 'tokens')) {
    report.warn(['tokens'], 'no route leads to the token service; add service: tokens to one', 'key');
  }
}

function checkDoor(path: Path, { access: wants }: RouteConfig, { access, tokens }: Parts, report: Report): void {
  if (wants === undefined || access === undefined) return;
  const able = {
    apiKey: access.keys.length > 0 || access.pepper.length > 0,
    certificate: access.certificates.length > 0,
    jwt: tokens !== undefined || Object.keys(access.issuers ?? {}).length > 0,
  };
  const missing = {
    apiKey: 'keys can come in only when some are declared (access.keys), or with access.pepper, out of the store',
    certificate: 'there are no access.certificates, so no certificate stands for anybody',
    jwt: 'there are no access.issuers, so no token is accepted',
  };
  for (const method of wants.anyOf) if (!able[method]) report.warn(path, missing[method], 'key');
}
