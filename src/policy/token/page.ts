/** The pages on which a person lets a device in. No script, no cookie, nothing from elsewhere. */
import { createHash } from 'node:crypto';
import type { ServiceAnswer } from './wire.ts';

const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[^\x20-\x7e]/g, (c) => `&#${c.codePointAt(0)};`);

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:10vh auto;padding:0 1rem;color:#1a1a1a}' +
  'label{display:block;margin:1rem 0 .25rem}input{width:100%;box-sizing:border-box;font:inherit;padding:.5rem}' +
  'button{font:inherit;padding:.5rem 1.25rem;margin:1.25rem .5rem 0 0}.wrong{color:#a00000}dt{font-weight:600}dd{margin:0 0 .5rem}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

const FIELDS: ServiceAnswer['fields'] = [
  ['Content-Type', 'text/html; charset=utf-8'],
  ['Cache-Control', 'no-store'],
  [
    'Content-Security-Policy',
    `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  ],
  ['X-Frame-Options', 'DENY'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

function page(status: number, body: string, more: ServiceAnswer['fields'] = []): ServiceAnswer {
  const html =
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
    `<title>Let a device in</title><style>${STYLE}</style></head><body><h1>Let a device in</h1>${body}</body></html>`;
  return { status, fields: [...FIELDS, ...more], body: html };
}

/** Asks for the code and for who the person is. `wrong`: what was not right before. */
export function codePage(
  userCode: string,
  wrong = '',
  status = 200,
  more: ServiceAnswer['fields'] = [],
): ServiceAnswer {
  const told = wrong === '' ? '' : `<p class="wrong" role="alert">${escaped(wrong)}</p>`;
  return page(
    status,
    `${told}<form method="post"><label for="code">Code that the device shows</label>` +
      `<input id="code" name="user_code" value="${escaped(userCode)}" maxlength="16" autocomplete="off" autocapitalize="characters" required>` +
      '<label for="key">Your API key</label>' +
      '<input id="key" name="key" type="password" maxlength="256" autocomplete="off" required>' +
      '<button>Go on</button></form>',
    more,
  );
}

/** What is shown before a person decides. */
export interface Asked {
  client: string;
  scopes: readonly string[];
  address: string;
  principal: string;
  userCode: string;
}

/** Asks whether it is meant: whoever was sent a link by somebody else sees here what it would open (RFC 8628 §5.4). */
export function decisionPage({ client, scopes, address, principal, userCode }: Asked, ticket: string): ServiceAnswer {
  const may = scopes.length === 0 ? 'nothing in particular' : scopes.map(escaped).join(', ');
  return page(
    200,
    `<dl><dt>Program</dt><dd>${escaped(client)}</dd><dt>asks from</dt><dd>${escaped(address)}</dd>` +
      `<dt>to act as</dt><dd>${escaped(principal)}</dd><dt>and may</dt><dd>${may}</dd><dt>Code</dt><dd>${escaped(userCode)}</dd></dl>` +
      '<p>Let it in only if you started it yourself and it shows this code.</p>' +
      `<form method="post"><input type="hidden" name="ticket" value="${escaped(ticket)}">` +
      '<button name="decision" value="approve">Let it in</button><button name="decision" value="deny">No</button></form>',
  );
}

/** It is decided, or cannot be any more. */
export function endPage(sentence: string, status = 200): ServiceAnswer {
  return page(status, `<p role="status">${escaped(sentence)}</p>`);
}
