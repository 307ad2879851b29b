/** Login of people by OpenID Connect: /auth/login, /auth/callback, /auth/logout. */
import { type Answer, problem } from '../answer.ts';
import type { AdminAccess, OidcConfig } from '../config.ts';
import type { Call, Operation } from '../operation.ts';
import { escapeHtml, PAGE_FIELDS } from '../page.ts';
import { cookieOf, LOGIN_COOKIE, SESSION_COOKIE, setCookie } from './cookie.ts';
import { beginLogin, finishLogin, type Started, startedLogin } from './oidc.ts';
import { seal, unseal } from './seal.ts';

/** How long a login may take. */
const LOGIN_S = 600;
/** Purpose of a sealed login under way. */
const UNDER_WAY = 'login';

const none = { role: 'none', tag: 'login' } as const;

/** The operations of login. */
export const loginOperations: readonly Operation[] = [
  { ...none, method: 'GET', path: '/auth/login', what: 'logs in by OpenID Connect', answer: 'redirect', run: login },
  {
    ...none,
    method: 'GET',
    path: '/auth/callback',
    what: 'where the issuer sends people back to',
    query: { code: 'Code of the issuer.', state: 'What ties it to the login.' },
    answer: 'html',
    run: callback,
  },
  { ...none, method: 'POST', path: '/auth/logout', what: 'ends the login of this browser', status: 204, run: logout },
];

function settings({ handle }: Call): { access: AdminAccess; oidc: OidcConfig } | Answer {
  const { access } = handle.settings();
  if (access?.oidc === undefined) {
    return problem(404, 'not_found', 'There is no login here: set admin.access.oidc, or send a token.');
  }
  return { access, oidc: access.oidc };
}

const secure = ({ url }: OidcConfig): boolean => url.startsWith('https:');

async function login(call: Call): Promise<Answer> {
  const found = settings(call);
  if ('status' in found) return found;
  const { access, oidc } = found;
  try {
    const { started, url } = await beginLogin(oidc);
    const sealed = seal(call.doorkeeper.key(access), UNDER_WAY, {
      ...started,
      until: call.clock.wall() + LOGIN_S * 1000,
    });
    // Lax: the way back from the issuer begins at another site.
    const cookie = setCookie(LOGIN_COOKIE, sealed, LOGIN_S, 'Lax', secure(oidc));
    return { status: 303, fields: { Location: url.href, 'Set-Cookie': cookie }, body: '' };
  } catch (error) {
    return gone(call, oidc, error);
  }
}

async function callback(call: Call): Promise<Answer> {
  const found = settings(call);
  if ('status' in found) return found;
  const { access, oidc } = found;
  const forget = setCookie(LOGIN_COOKIE, '', 0, 'Lax', secure(oidc));
  const refuse = (status: number, detail: string): Answer => {
    const answer = problem(status, status === 403 ? 'forbidden' : 'login_failed', detail);
    answer.fields['Set-Cookie'] = forget;
    return answer;
  };
  const text = cookieOf(call.request.headers.cookie, LOGIN_COOKIE);
  const opened = text === undefined ? undefined : unseal(call.doorkeeper.key(access), UNDER_WAY, text);
  const started: (Started & { until: number }) | undefined = startedLogin(opened);
  if (started === undefined || started.until <= call.clock.wall()) {
    return refuse(400, 'This login was not begun by this browser, or has taken too long. Begin again at /auth/login.');
  }
  let person: Awaited<ReturnType<typeof finishLogin>>;
  try {
    person = await finishLogin(oidc, started, call.query);
  } catch (error) {
    call.notice({ level: 'warn', message: `admin login failed: ${sentence(error)}` });
    return refuse(
      401,
      'The issuer did not confirm this login; the operational log says why. Begin again at /auth/login.',
    );
  }
  const { name, role } = person;
  if (role === undefined) {
    call.notice({ level: 'warn', message: `admin login of ${name}: in none of the groups of admin.access.oidc.roles` });
    return refuse(403, `${name} is in none of the groups that may come in here.`);
  }
  call.notice({
    level: 'info',
    message: `admin login: ${name} as ${role}`,
    attributes: { event: 'admin_login', name, role },
  });
  const session = call.doorkeeper.session(access, { name, role });
  const cookie = setCookie(SESSION_COOKIE, session, Math.floor(access.session / 1000), 'Strict', secure(oidc));
  // A page and no redirect: a cookie that is Strict does not travel along a way that begins at another site.
  const body = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>Gatehouse</title></head><body><p>Welcome, ${escapeHtml(name)}. <a href="/">Go on</a></p></body></html>\n`;
  return { status: 200, fields: { ...PAGE_FIELDS, 'Set-Cookie': `${cookie}\n${forget}` }, body };
}

function logout(call: Call): Answer {
  const found = settings(call);
  if ('status' in found) return found;
  return {
    status: 204,
    fields: { 'Set-Cookie': setCookie(SESSION_COOKIE, '', 0, 'Strict', secure(found.oidc)) },
    body: '',
  };
}

function gone({ notice }: Call, { issuer }: OidcConfig, error: unknown): Answer {
  notice({ level: 'error', message: `admin login: the issuer ${issuer} cannot be used: ${sentence(error)}` });
  return problem(
    503,
    'issuer_unavailable',
    'The issuer cannot be reached; tokens work on. The operational log says why.',
  );
}

function sentence(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
