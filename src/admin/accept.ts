/** Content negotiation for /metrics (RFC 9110 section 12.5.1), as far as two formats need it. Pure. */

/** True when the Accept field likes OpenMetrics 1.0 better than the Prometheus text format. No field: Prometheus text. */
export function prefersOpenMetrics(accept: string | undefined): boolean {
  if (accept === undefined) return false;
  let openMetrics = 0;
  let text = 0;
  for (const part of accept.split(',')) {
    const [range = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    const named = new Map(parameters.map((p) => p.split('=', 2) as [string, string]));
    const q = Number(named.get('q') ?? 1);
    if (!(q > 0 && q <= 1)) continue;
    const version = named.get('version')?.replace(/"/g, '');
    if (range === 'application/openmetrics-text' && (version === undefined || version === '1.0.0')) {
      openMetrics = Math.max(openMetrics, q);
    } else if (range === 'text/plain' || range === 'text/*' || range === '*/*') {
      text = Math.max(text, q);
    }
  }
  return openMetrics > text;
}
