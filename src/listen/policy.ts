/** TLS versions, ciphers and groups, after Mozilla's server-side recommendations (version 5.7). */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import type { TlsConfig } from './tlsconfig.ts';

const TLS13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'];
/** Forward secrecy and authenticated encryption only. */
const TLS12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];
const GROUPS = 'X25519:P-256:P-384';

/** Groups that this Node's OpenSSL has; the hybrid one that withstands quantum computers comes first where it is there. */
function groups(): string {
  const hybrid = `X25519MLKEM768:${GROUPS}`;
  try {
    createSecureContext({ ecdhCurve: hybrid });
    return hybrid;
  } catch {
    return GROUPS;
  }
}

let known: string | undefined;

/** The options of a context by the listener's settings, without certificates. */
export function policyOptions(config: TlsConfig): SecureContextOptions {
  known ??= groups();
  const minVersion = config.minVersion ?? (config.policy === 'modern' ? 'TLSv1.3' : 'TLSv1.2');
  const ciphers = config.ciphers ?? (minVersion === 'TLSv1.3' ? TLS13 : [...TLS13, ...TLS12]).join(':');
  let secureOptions = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION;
  // A client that puts ChaCha20 first has no hardware for AES: it knows better.
  secureOptions |= constants.SSL_OP_CIPHER_SERVER_PREFERENCE | constants.SSL_OP_PRIORITIZE_CHACHA;
  if (config.sessionTickets.lifetime === 0) secureOptions |= constants.SSL_OP_NO_TICKET;
  return {
    minVersion,
    maxVersion: 'TLSv1.3',
    ciphers,
    ecdhCurve: config.groups ?? known,
    honorCipherOrder: true,
    secureOptions,
    // Zero would be OpenSSL's own default.
    sessionTimeout: Math.max(1, Math.round(config.sessionTickets.lifetime / 1000)),
  };
}
