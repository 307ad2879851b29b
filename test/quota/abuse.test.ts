/** Requests that try to be cheaper than they are, on real sockets. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { rawClient } from '../raw.ts';
import { serve } from './server.fixture.ts';

/** An upstream that answers everything with this, and a gateway with this limit. */
async function start(t: TestContext, limit: object, answer: string, workers = 1): Promise<Gateway> {
  const url = await serve(t, (request, response) => {
    request.resume();
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(answer);
    });
  });
  const gateway = await startGateway({
    workers,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { up: { protocol: 'openai', endpoints: [{ url }] } },
    routes: [{ name: 'r', upstream: 'up', limits: [{ name: 'l', key: 'resource', ...limit }] }],
  });
  t.after(() => gateway.stop());
  return gateway;
}

const post = (gateway: Gateway, path: string, body: string, who = '') => {
  const headers = { 'content-type': 'application/json', 'x-who': who };
  return fetch(`${gateway.url}${path}`, { method: 'POST', headers, body });
};

async function used(gateway: Gateway): Promise<number> {
  const { limits } = (await (await fetch(`${gateway.adminUrl}/api/v1/limits`)).json()) as {
    limits: { used: string }[];
  };
  return Number(limits[0]?.used ?? 0);
}

/** Once workers have told what was used. */
async function usedReaches(gateway: Gateway, least: number): Promise<void> {
  const until = Date.now() + 60_000;
  for (;;) {
    const now = await used(gateway);
    if (now >= least) return;
    assert.ok(Date.now() < until, `${now} of ${least}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

test('bytes that nobody announced are paid before anything else begins', async (t) => {
  const gateway = await start(t, { bytes: '10KB/min' }, 'x'.repeat(20_000));
  const first = await fetch(gateway.url);
  assert.equal(first.status, 200);
  await first.text();
  await usedReaches(gateway, 20_000);
  // What a worker has in hand already it may spend.
  let download = await fetch(gateway.url);
  for (let i = 0; i < 5 && download.status === 200; i++) {
    await download.text();
    await usedReaches(gateway, 20_000 * (i + 2));
    download = await fetch(gateway.url);
  }
  assert.equal(download.status, 429);
  assert.match(await download.text(), /the limit of 10000 bytes per minute is reached \(r\/l\)/);
  const client = await rawClient(gateway.port);
  await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
  assert.equal((await client.read()).status, 429, 'a body of unknown length');
  client.close();
});

test('what bodies of unknown length have used at one worker holds at all of them', async (t) => {
  const gateway = await start(t, { bytes: '2KiB/min' }, '', 4);
  const body = `5dc\r\n${'x'.repeat(1500)}\r\n0\r\n\r\n`;
  let passed = 0;
  for (let i = 0; i < 8; i++) {
    const client = await rawClient(gateway.port);
    await client.send(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
    const { status } = await client.read();
    client.close();
    if (status === 200) await usedReaches(gateway, 1500 * ++passed);
    else assert.equal(status, 429);
  }
  assert.ok(passed >= 1 && passed <= 2, `${passed} of 8`);
});

test('bodies of unknown length side by side use no more than the limit and one of them', async (t) => {
  const gateway = await start(t, { bytes: '10KiB/min' }, '{}', 4);
  const clients = await Promise.all(Array.from({ length: 40 }, () => rawClient(gateway.port)));
  for (const client of clients)
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n');
  const statuses = await Promise.all(
    clients.map(async (client) => {
      await client.send(`36b0\r\n${'x'.repeat(14_000)}\r\n0\r\n\r\n`).catch(() => {});
      return (await client.read()).status;
    }),
  );
  for (const client of clients) client.close();
  assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
  assert.equal(statuses.filter((status) => status === 200).length, 1);
});

test('a bound on the output that only the server can read is refused where tokens are counted', async (t) => {
  const gateway = await start(t, { tokens: '1000/min' }, '{}');
  for (const [body, what] of [
    ['{"model":"m","messages":[],"stream":true,"max_tokens":"1000000"}', /max_tokens\\" must be a number/],
    ['{"model":"m","messages":[],"max_tokens":1,"max_tokens":100000}', /given twice/],
    ['{"model":"m","messages":[],"max_tokens":1,"MAX_TOKENS":100000}', /max_tokens/i],
    ['{"model":"m","messages":[],"stream":"true"}', /stream\\" must be true or false/],
    ['', /not JSON/],
  ] as const) {
    const answer = await post(gateway, '/v1/chat/completions', body);
    const text = await answer.text();
    assert.equal(answer.status, 400, `${body}: ${text}`);
    assert.match(text, what);
  }
  // Elsewhere nobody reads bodies.
  assert.equal((await post(gateway, '/v1/files', 'no JSON')).status, 200);
});

test('an answer that is made in the background costs what was reserved for it', async (t) => {
  const queued = '{"id":"resp_1","object":"response","status":"queued","output":[],"usage":null}';
  const gateway = await start(t, { tokens: '1000/min' }, queued);
  const ask = (background: string) =>
    post(gateway, '/v1/responses', `{"model":"m","input":"hi","max_output_tokens":700,"background":${background}}`);
  const plain = await ask('false');
  assert.equal(plain.status, 200);
  await plain.text();
  const later = await ask('true');
  assert.equal(later.status, 200);
  await later.text();
  await usedReaches(gateway, 700);
  const next = await ask('true');
  assert.equal(next.status, 429);
  assert.match(await next.text(), /the limit of 1000 tokens per minute is reached \(r\/l\)\. Try again in /);
});

test('a bound below zero is none: what is reserved is what the limit has, for whichever field', async (t) => {
  const usage = { prompt_tokens: 10, completion_tokens: 900, total_tokens: 910 };
  const limit = { key: 'header:x-who', tokens: '1000/min' };
  const gateway = await start(t, limit, JSON.stringify({ object: 'x', choices: [], usage }));
  const cases = [
    ['/v1/chat/completions', '"messages":[{"role":"user","content":"hi"}],"max_tokens":-1'],
    ['/v1/chat/completions', '"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":-1,"n":2'],
    ['/v1/completions', '"prompt":"hi","max_tokens":-0.5'],
  ] as const;
  for (const [i, [path, body]] of cases.entries()) {
    const one = () => post(gateway, path, `{"model":"m",${body}}`, String(i));
    const answers = await Promise.all(Array.from({ length: 8 }, one));
    const statuses = answers.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, ...Array.from({ length: 7 }, () => 429)], `${path} ${body}`);
    await Promise.all(answers.map((answer) => answer.text()));
  }
});

test('a bound of nothing is told as one that holds, for every field that a server may read', async (t) => {
  const told: Record<string, number>[] = [];
  const url = await serve(t, (request, response) => {
    let body = '';
    request.on('data', (piece) => {
      body += piece;
    });
    request.on('end', () => {
      const asked = JSON.parse(body) as Record<string, number>;
      told.push(asked);
      // As servers do that write `a or b`, and those that prefer a field of their own.
      const output =
        asked.n_predict || asked.max_completion_tokens || asked.max_tokens || asked.max_output_tokens || 2000;
      const usage = { prompt_tokens: 7, completion_tokens: output, total_tokens: 7 + output };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ object: 'x', choices: [], usage }));
    });
  });
  const gateway = await startGateway({
    workers: 1,
    listeners: { public: { address: '127.0.0.1:0' } },
    upstreams: { up: { protocol: 'openai', endpoints: [{ url }] } },
    routes: [
      { name: 'r', upstream: 'up', limits: [{ name: 'l', key: 'header:x-who', tokens: '1000/min', output: 100 }] },
    ],
  });
  t.after(() => gateway.stop());
  const chat = '/v1/chat/completions';
  const cases: [string, Record<string, number>, Record<string, number>][] = [
    [chat, { max_completion_tokens: 0 }, { max_completion_tokens: 1 }],
    [chat, { max_tokens: 0 }, { max_tokens: 1 }],
    [chat, { max_tokens: 0.5 }, { max_tokens: 1 }],
    [chat, { max_completion_tokens: 0, max_tokens: 40 }, { max_completion_tokens: 1, max_tokens: 40 }],
    [chat, { max_completion_tokens: -1, max_tokens: 40 }, { max_completion_tokens: 40, max_tokens: 40 }],
    [chat, { max_tokens: 40, n_predict: -1 }, { max_tokens: 40, n_predict: 40 }],
    [chat, { max_tokens: -1 }, { max_tokens: 100 }],
    [chat, { n_predict: 5000 }, { max_completion_tokens: 100, n_predict: 100 }],
    ['/v1/completions', { max_tokens: 0 }, { max_tokens: 1 }],
    ['/v1/responses', { max_output_tokens: 0 }, { max_output_tokens: 1 }],
    ['/v1/messages', { max_tokens: 0 }, { max_tokens: 1 }],
  ];
  for (const [i, [path, asked, expected]] of cases.entries()) {
    const prompt = { model: 'm', messages: [], prompt: '', input: '' };
    const init = { method: 'POST', headers: { 'x-who': `${i}` }, body: JSON.stringify({ ...prompt, ...asked }) };
    const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(gateway.url + path, init)));
    await Promise.all(answers.map((answer) => answer.text()));
    for (const one of told.splice(0))
      assert.deepEqual(one, { ...prompt, ...expected }, `${path} ${JSON.stringify(asked)}`);
  }
  // More than one field could tell is reserved: the larger one.
  const init = { method: 'POST', headers: { 'x-who': 'two' }, body: '{"model":"m","max_tokens":1,"n_predict":900}' };
  const answers = await Promise.all(Array.from({ length: 8 }, () => fetch(gateway.url + chat, init)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 429, 429, 429, 429, 429, 429, 429]);
});

test('a prompt that is dressed up as an image, or dense where few look, is reserved as the text it is', async (t) => {
  const gateway = await start(t, { tokens: '10000/min' }, '{"object":"x","choices":[]}');
  const marks = '! '.repeat(20_000);
  const four = Array.from({ length: 100_000 }, (_, i) => (i % 33_000 < 2_500 ? 'aa' : '! ')).join('');
  for (const [name, content] of [
    ['a pasted stream', `data: ${marks}`],
    ['a document', [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: marks } }]],
    ['a long one', four],
  ] as const) {
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], max_tokens: 1 });
    const answer = await post(gateway, '/v1/chat/completions', body);
    assert.equal(answer.status, 429, name);
    assert.match(await answer.text(), /alone|more than/i, name);
  }
  const image = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${'iVBORw0KGgo'.repeat(20_000)}` } }];
  const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: image }], max_tokens: 1 });
  assert.equal((await post(gateway, '/v1/chat/completions', body)).status, 200);
});

test('odd prompts of one tenant do not raise what is reserved for another', async (t) => {
  const url = await serve(t, (request, response) => {
    let length = 0;
    request.on('data', (piece) => {
      length += piece.length;
    });
    request.on('end', () => {
      // To this server some prompts are many times as long as they look.
      const prompt = request.headers['x-odd'] === undefined ? 20 : length;
      response.setHeader('content-type', 'application/json');
      const usage = { prompt_tokens: prompt, completion_tokens: 1, total_tokens: prompt + 1 };
      response.end(JSON.stringify({ object: 'x', choices: [], usage }));
    });
  });
  const key = (name: string) => ({ name, key: `${name}-key-0123456789abcdef`, tenant: name });
  const gateway = await startGateway({
    workers: 1,
    listeners: { public: { address: '127.0.0.1:0' } },
    access: { keys: [key('evil'), key('good')] },
    upstreams: { up: { protocol: 'openai', endpoints: [{ url }] } },
    routes: [
      {
        name: 'r',
        upstream: 'up',
        access: { anyOf: ['apiKey'] },
        limits: [{ name: 'l', key: 'tenant', tokens: '10000/min' }],
      },
    ],
  });
  t.after(() => gateway.stop());
  const ask = async (who: string, words: number, fields: Record<string, string> = {}) => {
    const content = 'word '.repeat(words);
    const answer = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${who}-key-0123456789abcdef`, ...fields },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content }], max_tokens: 5 }),
    });
    return [answer.status, await answer.text()] as const;
  };
  for (let i = 0; i < 5; i++) await ask('evil', 100, { 'x-odd': '1' });
  // 9,000 words fit; with what the other one's prompts were, or with what is added for a new model, they would not.
  assert.deepEqual((await ask('good', 9000))[0], 200);
  const [status, text] = await ask('evil', 9000);
  assert.equal(status, 429, text);
});
