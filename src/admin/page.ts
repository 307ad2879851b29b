/** The plain page at `/`: what there is to ask, and how the house stands. No script, no style, nothing to load. */
import type { AdminStatus } from './handle.ts';

/** The fields that the page is sent with: it may load and run nothing, and be framed by nobody. */
export const PAGE_FIELDS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'Referrer-Policy': 'no-referrer',
};

/** The page as HTML. `paths` are the API's paths with what each gives. */
export function renderPage(status: AdminStatus, paths: readonly (readonly [string, string])[]): string {
  const links = paths.map(([path, what]) => `<li><a href="${path}">${path}</a>: ${escapeHtml(what)}</li>`);
  const endpoints = status.upstreams.flatMap((upstream) =>
    upstream.endpoints.map((e) =>
      row([
        upstream.name,
        e.name,
        e.healthy ? 'up' : 'down',
        e.reason,
        e.breakerReason === undefined ? e.breaker : `${e.breaker}: ${e.breakerReason}`,
        String(e.inFlight ?? '–'),
        String(e.weight),
      ]),
    ),
  );
  const error = status.configError
    ? `<p role="alert"><strong>The newest configuration was not applied:</strong> ${escapeHtml(status.configError)}</p>`
    : '';
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>Gatehouse</title></head>
<body>
<h1>Gatehouse ${escapeHtml(status.version)}</h1>
<p>Up for ${Math.floor(status.uptimeMs / 1000)} s, configuration ${status.generation}.</p>
${error}
<h2>Listeners</h2>
${table(
  ['name', 'address', 'TLS'],
  status.listeners.map((l) => row([l.name, l.address, l.tls ? 'yes' : 'no'])),
)}
<h2>Workers</h2>
${table(
  ['id', 'pid', 'state', 'restarts', 'under way', 'processor'],
  status.workers.map((w) =>
    row([
      w.id,
      String(w.pid),
      w.state,
      String(w.restarts),
      String(w.load.underWay),
      `${Math.round(w.load.cpu * 100)}%`,
    ]),
  ),
)}
<h2>Upstreams</h2>
${table(['upstream', 'endpoint', 'state', 'reason', 'breaker', 'in flight', 'weight'], endpoints)}
<h2>Ask</h2>
<ul>
${links.join('\n')}
</ul>
</body>
</html>
`;
}

function table(heads: readonly string[], rows: readonly string[]): string {
  if (rows.length === 0) return '<p>None.</p>';
  const head = heads.map((h) => `<th scope="col">${h}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for HTML, inside elements and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c] as string);
}
