import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { z } from 'zod';
import { checkRoutes } from './check.ts';
import { routeConfig } from './config.ts';
import { failureOf } from './explain.ts';
import { makeHead } from './head.fixture.ts';
import { hostMatches } from './order.ts';
import { compileRoutes } from './route.ts';
import { canonicalPath } from './target.ts';

type Match = z.input<typeof routeConfig>['match'];

const route = (name: string, match: Match) => routeConfig.parse({ name, match, upstream: 'u' });

describe('the index and the slow way agree', () => {
  const host = fc.constantFrom('a.b', 'x.a.b', '*.a.b', '*.b', '*');
  const segment = fc.constantFrom('a', 'b', '{x}', '{y}');
  const path = fc
    .tuple(
      fc.uniqueArray(segment, { maxLength: 4, selector: (s) => (s.startsWith('{') ? s : {}) }),
      fc.constantFrom('', '/', '/*'),
    )
    .map(([segments, end]) =>
      segments.length === 0 && end === '' ? '/' : segments.map((s) => `/${s}`).join('') + end,
    );
  const match = fc.record(
    {
      host: fc.array(host, { minLength: 1, maxLength: 2 }),
      path: fc.array(fc.oneof(path, fc.constant('*')), { minLength: 1, maxLength: 2 }),
      method: fc.constantFrom('GET', 'POST'),
      headers: fc.constantFrom({ h: 'v' }, { h: { present: false } }, { h: { oneOf: ['v', 'w'] } }),
      query: fc.constantFrom({ q: '1' }, { q: { prefix: '' } }),
      model: fc.constantFrom('m', 'm*', ['n', 'mo*']),
    },
    { requiredKeys: [] },
  );
  const request = fc.record({
    host: fc.constantFrom('a.b', 'x.a.b', 'y.x.a.b', 'c.b', 'z', ''),
    path: fc.array(fc.constantFrom('/a', '/b', '/c', '/', '/%61'), { maxLength: 5 }).map((p) => p.join('') || '/'),
    query: fc.constantFrom('', '?q=1', '?q=2&q=1', '?%71=1'),
    method: fc.constantFrom('GET', 'POST'),
    model: fc.constantFrom(undefined, 'm', 'mo', 'n'),
    lines: fc.constantFrom<[string, string][]>([], [['H', 'v']], [['H', 'w']]),
  });
  test('for any routes and requests', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 12 }), fc.array(request, { minLength: 5, maxLength: 20 }), (ms, rs) => {
        const router = compileRoutes(ms.map((m, i) => route(`r${i}`, m as Match)));
        for (const r of rs) {
          const head = makeHead(r.method, r.host, r.path + r.query, r.lines);
          const slow = router.entries.find((e) => failureOf(e, head, canonicalPath(head.path), r.model) === undefined);
          assert.equal(router.matchModel(head, r.model), slow?.route);
          const first = router.match(head);
          if (first && !first.needsModel) assert.equal(slow?.route, first);
          const lines = router.explain(head, r.model);
          assert.equal(
            lines[0]?.startsWith(slow ? `route ${slow.route.name} wins` : 'no route matches'),
            true,
            lines[0],
          );
        }
      }),
      { numRuns: 300 },
    );
  });
  test('no spelling of a path reaches a route less specific than the plain one does', () => {
    const spell = fc.record({ at: fc.nat(), how: fc.constantFrom('hex', 'twice', '//', ';x', 'back', './') });
    fc.assert(
      fc.property(fc.array(match, { maxLength: 12 }), request, fc.array(spell, { maxLength: 4 }), (ms, r, spells) => {
        const router = compileRoutes(ms.map((m, i) => route(`r${i}`, m as Match)));
        const plain = canonicalPath(r.path);
        const parts = [...plain];
        for (const { at, how } of spells) {
          const i = 1 + (at % Math.max(1, parts.length - 1));
          const c = parts[i];
          if (c?.length !== 1) continue;
          const hex = c.charCodeAt(0).toString(16);
          if (how === 'hex') parts[i] = `%${hex}`;
          else if (how === 'twice') parts[i] = `%25${hex}`;
          else if (c !== '/') parts[i] = how === ';x' ? `${c};x` : c;
          else parts[i] = { '//': '//', ';x': ';x/', back: '%5C', './': '/./' }[how] ?? c;
        }
        const lines = r.lines;
        const best = (path: string) => {
          const won = router.matchModel(makeHead(r.method, r.host, path + r.query, lines), r.model);
          return router.entries.find((e) => e.route === won && hostMatches(e.host, r.host));
        };
        const straight = best(plain);
        const bent = best(parts.join(''));
        if (!straight || !bent || straight.route.index === bent.route.index) return;
        assert.ok(bent.rank <= straight.rank, `${parts.join('')} for ${plain}`);
      }),
      { numRuns: 1500 },
    );
  });
  test('a route said to be unreachable never wins, and the others can be compiled', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 12 }), fc.array(request, { minLength: 20, maxLength: 40 }), (ms, rs) => {
        const routes = ms.map((m, i) => route(`r${i}`, m as Match));
        const dead = new Set(
          checkRoutes(routes)
            .filter((issue) => issue.message.startsWith('never reached: '))
            .map((issue) => issue.index),
        );
        const router = compileRoutes(routes);
        for (const r of rs) {
          const won = router.matchModel(makeHead(r.method, r.host, r.path + r.query, r.lines), r.model);
          assert.ok(!won || !dead.has(won.index), `${won?.name} won`);
        }
      }),
      { numRuns: 300 },
    );
  });
});
