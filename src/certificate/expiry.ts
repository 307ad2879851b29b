/** Who has to be told that certificates run out, and when. Pure; times are milliseconds since 1970. */

/** A certificate that is in use. */
export interface InUse {
  /** Where it comes from: `config`, `folder`, `acme`, `store`. */
  source: string;
  /** What it is called: its first name. */
  name: string;
  notBefore: number;
  notAfter: number;
  fingerprint: string;
}

const DAY_MS = 86_400_000;
/** Days before the end at which something is said. */
const STEPS = [30, 14, 7, 1, 0];
/** Certificates that have a series of their own. */
const SHOWN = 500;

/** Says each step once for each certificate. */
export class ExpiryWatch {
  readonly #told = new Map<string, number>();

  /** What is to be said now: text and whether it is an error. */
  due(all: Iterable<InUse>, now: number): { message: string; level: 'warn' | 'error' }[] {
    const said: { message: string; level: 'warn' | 'error' }[] = [];
    const seen = new Set<string>();
    for (const one of all) {
      seen.add(one.fingerprint);
      const left = (one.notAfter - now) / DAY_MS;
      // One that lives for ninety days is renewed when a third is left: only what is late for its own age is news.
      const most = (one.notAfter - one.notBefore) / DAY_MS / 3;
      const step = STEPS.findLast((days) => left <= days && (days <= most || days === 0));
      const automatic = one.source === 'acme' && step === 30;
      if (step === undefined || automatic || (this.#told.get(one.fingerprint) ?? Infinity) <= step) continue;
      this.#told.set(one.fingerprint, step);
      const when = new Date(one.notAfter).toISOString();
      const what = `the certificate for ${one.name} (${one.source})`;
      if (left <= 0) said.push({ level: 'error', message: `${what} has expired on ${when}: clients refuse it` });
      else {
        const days = Math.ceil(left);
        const rest = days === 1 ? 'a day' : `${days} days`;
        said.push({ level: step <= 7 ? 'error' : 'warn', message: `${what} expires in ${rest}, on ${when}: renew it` });
      }
    }
    for (const fingerprint of this.#told.keys()) if (!seen.has(fingerprint)) this.#told.delete(fingerprint);
    return said;
  }
}

/** The series to show: those that expire soonest, one for each source and name. */
export function shownExpiries(all: Iterable<InUse>): InUse[] {
  const soonest = new Map<string, InUse>();
  for (const one of all) {
    const key = `${one.source} ${one.name}`;
    const other = soonest.get(key);
    if (other === undefined || one.notAfter < other.notAfter) soonest.set(key, one);
  }
  return [...soonest.values()].sort((a, b) => a.notAfter - b.notAfter).slice(0, SHOWN);
}
