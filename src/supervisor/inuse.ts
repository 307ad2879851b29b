/** Which certificates are in use. */
import type { InUse } from '../certificate/expiry.ts';
import { type CertificateFacts, factsOf } from '../certificate/facts.ts';
import type { ListenerConfig } from '../listen/config.ts';

/** The part of a configuration that matters here. */
export interface CertificateConfig {
  listeners: Readonly<Record<string, Pick<ListenerConfig, 'tls'>>>;
}

/** A certificate from `source`. */
export function inUse(source: string, facts: CertificateFacts): InUse {
  const { notBefore, notAfter, fingerprint } = facts;
  return { source, name: facts.names[0] ?? fingerprint.slice(0, 16), notBefore, notAfter, fingerprint };
}

/** The certificates that the configuration itself names. */
export function ownCertificates({ listeners }: CertificateConfig, files: Readonly<Record<string, string>>): InUse[] {
  const found = new Map<string, InUse>();
  for (const { tls } of Object.values(listeners)) {
    for (const { certificate } of tls?.certificates ?? []) {
      const text = files[certificate];
      if (text !== undefined) found.set(certificate, inUse('config', factsOf(text)));
    }
  }
  return [...found.values()];
}
