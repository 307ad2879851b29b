/** Cookies of the admin port (RFC 6265bis). Pure. */

/** Name of the cookie that holds a login. */
export const SESSION_COOKIE = 'gatehouse_session';
/** Name of the cookie that holds a login under way. */
export const LOGIN_COOKIE = 'gatehouse_login';

/** Value of a cookie; undefined when there is none, or two, of which one may be someone else's. */
export function cookieOf(field: string | undefined, name: string): string | undefined {
  const found = (field ?? '')
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}

/** A `Set-Cookie` value; `seconds` 0 takes it away. */
export function setCookie(
  name: string,
  value: string,
  seconds: number,
  sameSite: 'Strict' | 'Lax',
  secure: boolean,
): string {
  const flags = `Path=/; Max-Age=${seconds}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`;
  return `${name}=${value}; ${flags}`;
}
