/** What somebody probably meant. */

/** Edits between two words: insert, delete, replace, swap of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  let before = new Uint16Array(width);
  let last = new Uint16Array(width).map((_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = new Uint16Array(width);
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a.charCodeAt(i - 1) === b.charCodeAt(j - 1);
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (
        i > 1 &&
        j > 1 &&
        a.charCodeAt(i - 1) === b.charCodeAt(j - 2) &&
        a.charCodeAt(i - 2) === b.charCodeAt(j - 1)
      ) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row[j] = cost;
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

const plain = (word: string) => word.toLowerCase().replace(/[\s_-]/g, '');

/** The known words nearest to `word` (at most three, equally near); none when nothing is near enough to be meant. */
export function nearest(word: string, known: Iterable<string>): string[] {
  if (word.length > 128) return [];
  let best = Number.POSITIVE_INFINITY;
  let found: string[] = [];
  for (const candidate of known) {
    const most = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (candidate.length > 128 || Math.abs(candidate.length - word.length) > most + 2) continue;
    // A key written first_byte or First-Byte means firstByte, however many edits that is.
    const distance = plain(word) === plain(candidate) ? 0 : editDistance(word, candidate);
    if (distance > most || distance > best || (distance >= word.length && word.length > 0)) continue;
    if (distance < best) found = [];
    best = distance;
    found.push(candidate);
  }
  return found.slice(0, 3);
}

/** `did you mean "a" or "b"?`, else `known TITLE: a, b, c`, else that there are none. */
export function suggestion(word: string, known: readonly string[], title: string): string {
  const near = nearest(word, known);
  if (near.length > 0) return `did you mean ${near.map((n) => JSON.stringify(n)).join(' or ')}?`;
  if (known.length === 0) return `there are no ${title}`;
  const shown = [...known].sort().slice(0, 24);
  return `known ${title}: ${shown.join(', ')}${known.length > shown.length ? `, … (${known.length} in all)` : ''}`;
}
