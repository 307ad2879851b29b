import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Counted } from '../ai/count.ts';
import type { Config } from '../config/config.ts';
import { ManualClock } from '../kernel/clock.ts';
import { Services } from '../supervisor/supervisor.ts';
import { COUNT_SERVICE, CountDesk, namedBy } from './countdesk.ts';

function makeDesk(t: TestContext) {
  const clock = new ManualClock();
  const services = new Services();
  const notices: string[] = [];
  const program = new URL('./countthread.fixture.js', import.meta.url);
  const desk = new CountDesk({ clock, services, notice: ({ message }) => notices.push(message), program });
  t.after(() => desk.close());
  let ids = 0;
  /** As a worker asks. */
  const ask = (tokenizer: string, prompt = Buffer.from('12345')) =>
    new Promise<Counted>((done, failed) => {
      const order = { operation: { protocol: 'openai', name: 'chat' }, prompt };
      services.answer([{ id: ++ids, service: COUNT_SERVICE, payload: { tokenizer, order } }], 1, ([answer]) => {
        if (answer?.failed === undefined) done(answer?.value as Counted);
        else failed(new Error(answer.failed));
      });
    });
  return { clock, desk, notices, ask };
}

const counts = async (counted: Promise<Counted>) => assert.equal((await counted).inputTokens, 5);
const config = (...files: string[]) =>
  ({
    upstreams: { a: { tokenizer: files[0] }, b: {} },
    models: {
      m: { tokenizer: 'estimate', versions: files.map((tokenizer) => ({ tokenizer })) },
      n: { versions: [{}] },
    },
  }) as unknown as Config;

test('counts, many at a time', async (t) => {
  const { ask } = makeDesk(t);
  await Promise.all(Array.from({ length: 50 }, () => counts(ask('any'))));
});

for (const [way, said] of [
  ['exits', /has died: it has ended/],
  ['throws', /has died: out of luck/],
] as const) {
  test(`a thread that ${way}: all who wait are told, and a new one counts after a rest`, async (t) => {
    const { ask, clock, notices } = makeDesk(t);
    await counts(ask('any'));
    const waiting = [ask('silent'), ask(way), ask('any')];
    await Promise.all(waiting.map((one) => assert.rejects(one, /the thread that counts has died/)));
    assert.match(notices.join(), said);
    await assert.rejects(ask('any'), /has died/, 'it rests');
    clock.advance(1001);
    await counts(ask('any'));
    // What dies again and again is left alone for longer.
    const again = ask(way);
    await assert.rejects(again, /has died/);
    clock.advance(1001);
    await counts(ask('any'));
  });
}

test('a thread that dies each time it is asked rests for longer and longer', async (t) => {
  const { ask, clock, notices } = makeDesk(t);
  for (const rest of [1, 2, 4, 8, 16, 32, 60, 60]) {
    await assert.rejects(ask('exits'), /has died/);
    assert.match(notices.at(-1) as string, new RegExp(`started again in ${rest} s`));
    clock.advance(rest * 1000 - 1);
    await assert.rejects(ask('any'), /has died/);
    clock.advance(1);
  }
});

test('a thread that says nothing is given up', async (t) => {
  const { ask, clock, notices } = makeDesk(t);
  await counts(ask('any'));
  const stuck = ask('hangs');
  clock.advance(12_000);
  assert.deepEqual(notices, []);
  clock.advance(6000);
  await assert.rejects(stuck, /has died/);
  assert.match(notices.join(), /it has said nothing for 15 s/);
  clock.advance(1000);
  await counts(ask('any'));
});

test('too many at once are told so, and others are not harmed', async (t) => {
  const { ask } = makeDesk(t);
  const waiting = Array.from({ length: 1000 }, () => ask('any'));
  await assert.rejects(ask('any'), /too much is being counted/);
  for (const one of waiting) await counts(one);
  await counts(ask('any'));
});

test('a tokenizer that cannot count is told of once', async (t) => {
  const { ask, notices } = makeDesk(t);
  for (let i = 0; i < 3; i++) await assert.rejects(ask('/bad'), /it is no tokenizer/);
  assert.deepEqual(notices, ['tokens are estimated, a tokenizer cannot count them: it is no tokenizer']);
  await counts(ask('any'));
});

test('a configuration whose file cannot be used is refused', async (t) => {
  const { desk } = makeDesk(t);
  await desk.prepare(config('/good.json', 'o200k_base'));
  desk.settle(true);
  await assert.rejects(desk.prepare(config('/bad.json')), /cannot use the tokenizer \/bad\.json: it is no tokenizer/);
  desk.settle(false);
  await desk.prepare(config());
  desk.settle(true);
  assert.deepEqual(namedBy(config('/x.json', 'gpt2')), ['/x.json', 'gpt2']);
});
