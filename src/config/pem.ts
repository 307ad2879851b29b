/** Certificates and keys: read and checked before anything serves with them. Workers then need no disk. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import { factsOf } from '../certificate/facts.ts';
import type { Parts } from './parts.ts';
import { formatPath, type Path, type Report } from './problem.ts';
import { readText, type Surroundings } from './reference.ts';

const DAY_MS = 86_400_000;
/** Renewal is commonly automatic at 30 days; whoever is below 14 has to look. */
const SOON_DAYS = 14;

/**
 * Reads every PEM setting of `parts`, checks it, and writes into the setting the name under which `files` holds the
 * text: the absolute path, or `inline:PLACE` for text that stood in the configuration or came by a reference.
 * `now`: milliseconds since 1970.
 */
export function loadPem(parts: Parts, around: Surroundings, now: number, report: Report): Record<string, string> {
  const files: Record<string, string> = {};
  const take = (holder: Record<string, unknown>, key: string, path: Path): string | undefined => {
    const setting = holder[key];
    if (typeof setting !== 'string') return undefined;
    const inline = setting.includes('-----BEGIN ');
    const name = inline
      ? `inline:${formatPath(path)}`
      : isAbsolute(setting)
        ? setting
        : resolve(around.folder, setting);
    const text = inline ? setting : readText(name, around);
    holder[key] = name;
    if (typeof text === 'string') {
      files[name] = text;
      return text;
    }
    report.at(path, `cannot use PEM file ${name}: ${text.reason}`);
    return undefined;
  };
  for (const [name, { tls }] of parts.listeners) {
    if (tls === undefined) continue;
    const path: Path = ['listeners', name, 'tls'];
    tls.certificates.forEach((pair, i) => {
      const here: Path = [...path, 'certificates', i];
      const certificate = take(pair, 'certificate', [...here, 'certificate']);
      checkPair(certificate, take(pair, 'key', [...here, 'key']), here, now, report);
      if (pair.ocsp !== undefined) takeDer(pair, 'ocsp', [...here, 'ocsp'], around, files, report);
      else if (certificate !== undefined) checkStaple(certificate, [...here, 'certificate'], report);
    });
    for (const [holder, key] of [
      [tls.clientCertificates, 'ca'],
      [tls.acme, 'ca'],
    ] as const) {
      const here: Path = [...path, holder === tls.acme ? 'acme' : 'clientCertificates', key];
      const ca = holder && take(holder, key, here);
      if (ca !== undefined) checkAuthorities(ca, here, now, report);
    }
    const list = tls.clientCertificates && take(tls.clientCertificates, 'crl', [...path, 'clientCertificates', 'crl']);
    if (list !== undefined) checkRevocations(list, [...path, 'clientCertificates', 'crl'], report);
    if (tls.acme !== undefined) tls.acme.folder = resolve(around.folder, tls.acme.folder);
    if (tls.domains?.folder !== undefined) tls.domains.folder = resolve(around.folder, tls.domains.folder);
  }
  for (const [name, { tls }] of parts.upstreams) {
    const path: Path = ['upstreams', name, 'tls'];
    const ca = take(tls, 'ca', [...path, 'ca']);
    if (ca !== undefined) checkAuthorities(ca, [...path, 'ca'], now, report);
    const certificate = take(tls, 'certificate', [...path, 'certificate']);
    checkPair(certificate, take(tls, 'key', [...path, 'key']), path, now, report);
  }
  return files;
}

/** Reads a file that is not text; `files` holds it in base64. */
function takeDer(
  holder: { ocsp?: string | undefined },
  key: 'ocsp',
  path: Path,
  around: Surroundings,
  files: Record<string, string>,
  report: Report,
): void {
  const name = resolve(around.folder, holder[key] as string);
  holder[key] = name;
  around.sources.add(name);
  try {
    const bytes = Buffer.from(around.readFile(name));
    // An OCSPResponse is a SEQUENCE that begins with an ENUMERATED of one byte (RFC 6960 §4.2.1).
    if (bytes[0] !== 0x30 || !bytes.subarray(1, 8).includes(Buffer.of(0x0a, 0x01))) {
      report.at(path, `${name} is no OCSP response in DER, such as openssl ocsp -respout writes`);
    }
    files[name] = bytes.toString('base64');
  } catch (error) {
    report.at(path, `cannot use ${name}: ${(error as Error).message}`);
  }
}

function checkStaple(certificate: string, path: Path, report: Report): void {
  try {
    if (factsOf(certificate).mustStaple) {
      report.warn(path, 'it asks for a stapled OCSP response, and no `ocsp` is set: strict clients will refuse it');
    }
  } catch {
    // Said already.
  }
}

function checkRevocations(text: string, path: Path, report: Report): void {
  if (!text.includes('-----BEGIN X509 CRL-----')) {
    report.at(path, `no revocation list in it${holds(text)}; expected PEM: -----BEGIN X509 CRL-----`);
    return;
  }
  try {
    createSecureContext({ crl: text });
  } catch (error) {
    report.at(path, `the revocation list cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** Clients build the way to the authority from what the server sends, in the order sent (RFC 8446 §4.4.2). */
function checkOrder(chain: readonly X509Certificate[], path: Path, report: Report): void {
  for (const [i, one] of chain.entries()) {
    const next = chain[i + 1];
    if (next === undefined || one.checkIssued(next)) continue;
    report.warn(
      path,
      `certificate ${i + 2} of the chain (${subject(next)}) did not issue the one before it (${subject(one)}); put each certificate before its issuer`,
    );
    return;
  }
}

/** The certificates of a PEM text, in order; problems are reported. */
function certificates(text: string, path: Path, report: Report): X509Certificate[] {
  const blocks = text.match(
    /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (TRUSTED |X509 )?CERTIFICATE-----/g,
  );
  if (blocks === null) {
    report.at(path, `no certificate in it${holds(text)}; expected PEM: -----BEGIN CERTIFICATE-----`);
    return [];
  }
  if (blocks.length < (text.match(/-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/g)?.length ?? 0)) {
    report.at(path, `certificate ${blocks.length + 1} in it has no end; is the file cut short?`);
    return [];
  }
  const list: X509Certificate[] = [];
  blocks.forEach((block, i) => {
    try {
      list.push(new X509Certificate(block));
    } catch {
      report.at(
        path,
        `certificate ${i + 1} of ${blocks.length} in it cannot be read; is the file cut short or damaged?`,
      );
    }
  });
  return list.length === blocks.length ? list : [];
}

function holds(text: string): string {
  const kind = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  if (kind !== undefined && !text.includes(`-----END ${kind}-----`))
    return ` (its ${kind} has no end; is the file cut short?)`;
  return kind === undefined
    ? text.trim() === ''
      ? ' (it is empty)'
      : ' (it is not PEM text)'
    : ` (it holds a ${kind})`;
}

function checkPair(
  certificate: string | undefined,
  key: string | undefined,
  path: Path,
  now: number,
  report: Report,
): void {
  const chain = certificate === undefined ? [] : certificates(certificate, [...path, 'certificate'], report);
  const leaf = chain[0];
  chain.forEach((one, i) => {
    checkDates(
      one,
      i === 0 ? 'the certificate' : `certificate ${i + 1} of the chain`,
      i === 0,
      [...path, 'certificate'],
      now,
      report,
    );
  });
  checkOrder(chain, [...path, 'certificate'], report);
  const secret = key === undefined ? undefined : privateKey(key, [...path, 'key'], report);
  if (leaf === undefined || secret === undefined) return;
  if (!leaf.checkPrivateKey(secret)) {
    report.at(
      [...path, 'key'],
      `the key does not belong to the certificate (${subject(leaf)}); use the key it was made with${chain.length > 1 ? ", and put the server's own certificate first" : ''}`,
    );
    return;
  }
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    report.at([...path, 'certificate'], `TLS refuses it: ${error instanceof Error ? error.message : error}`);
  }
}

function privateKey(text: string, path: Path, report: Report): ReturnType<typeof createPrivateKey> | undefined {
  if (!/-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/.test(text)) {
    report.at(path, `no private key in it${holds(text)}; expected PEM: -----BEGIN PRIVATE KEY-----`);
    return undefined;
  }
  try {
    return createPrivateKey(text);
  } catch {
    const encrypted = /ENCRYPTED/.test(text);
    report.at(
      path,
      encrypted
        ? 'the private key is encrypted; decrypt it with: openssl pkey -in FILE -out NEWFILE'
        : 'the private key cannot be read; is the file cut short or damaged?',
    );
    return undefined;
  }
}

function checkAuthorities(text: string, path: Path, now: number, report: Report): void {
  const list = certificates(text, path, report);
  for (const [i, one] of list.entries())
    checkDates(one, list.length === 1 ? 'the authority' : `authority ${i + 1}`, list.length === 1, path, now, report);
}

function checkDates(one: X509Certificate, what: string, must: boolean, path: Path, now: number, report: Report): void {
  const from = Date.parse(one.validFrom);
  const to = Date.parse(one.validTo);
  const say = (text: string) => (must ? report.at(path, text) : report.warn(path, text));
  if (to <= now) say(`${what} (${subject(one)}) expired on ${day(to)}; renew it`);
  else if (from > now) say(`${what} (${subject(one)}) is valid only from ${day(from)}; check it and the clock`);
  else if (must && to - now < SOON_DAYS * DAY_MS) {
    report.warn(
      path,
      `${what} (${subject(one)}) expires on ${day(to)}, in ${Math.floor((to - now) / DAY_MS)} days; renew it`,
    );
  }
}

const day = (time: number) => new Date(time).toISOString().slice(0, 10);
const subject = (one: X509Certificate) =>
  one.subjectAltName ?? one.subject?.split('\n').at(-1) ?? `serial ${one.serialNumber}`;
