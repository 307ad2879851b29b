/** Conditional requests (RFC 9110 section 13) and merge patches (RFC 7396). Pure. */

/** The `ETag` of a version. */
export const tagOf = (version: number): Record<string, string> => ({ ETag: `"${version}"` });

/** Versions that `If-Match` names; `any` for `*`; undefined when there is none. Weak tags never match. */
export function ifMatch(field: string | undefined): readonly number[] | 'any' | undefined {
  if (field === undefined) return undefined;
  if (field.trim() === '*') return 'any';
  return field.split(',').flatMap((tag) => {
    const found = /^"(\d{1,16})"$/.exec(tag.trim())?.[1];
    return found === undefined ? [] : [Number(found)];
  });
}

/** `patch` applied to `target`: null takes away, objects are merged, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const whole = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {};
  const merged = new Map(Object.entries(whole));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  // Not by assignment: `__proto__` is a name like any other.
  return Object.fromEntries(merged);
}
