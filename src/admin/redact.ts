/** Takes secrets out of a configuration before it is shown. Pure. */

const REDACTED = '[redacted]';

/**
 * Setting and field names whose values are secrets, wherever they stand. File references (`tls.key`) are paths and stay.
 */
const SECRET =
  /^(.*(password|passphrase|pepper|secret|credentials?|token|api[-_]?keys?|access[-_]?keys?|private[-_]?key|[-_]key|[-_]auth)|hash|(proxy-)?authorization|(set-)?cookie)$/i;

/** A copy with the values of secret names, and passwords inside URLs, replaced by `[redacted]`. Counts and durations stay. */
export function redact(value: unknown): unknown {
  if (typeof value === 'string')
    return value.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#@:]*):[^/?#@]*@/i, `$1:${REDACTED}@`);
  if (Array.isArray(value)) return value.map(redact);
  if (typeof value !== 'object' || value === null) return value;
  const out: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) out[key] = SECRET.test(key) ? hide(inner) : redact(inner);
  return out;
}

/** Every string below a secret name goes; numbers and booleans are settings about the secret, not the secret. */
function hide(value: unknown): unknown {
  if (typeof value === 'string') return value === '' ? '' : REDACTED;
  if (Array.isArray(value)) return value.map(hide);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, hide(inner)]));
}
