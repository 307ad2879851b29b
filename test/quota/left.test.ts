/** What is charged where nothing but a price is there, and a request does not end well. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  call,
  detailOf,
  house,
  kill,
  ledgerOf,
  type Order,
  startServer,
  until,
  workerPids,
  writtenDown,
} from './money.fixture.ts';

test('who leaves, or whose worker dies, is charged the prompt and what was generated, without any limit', async (t) => {
  const server = await startServer(t);
  const { folder, start } = house(t, server.url);
  const gateway = await start();
  t.after(() => gateway.stop());
  const begin = async (order: Order) => {
    const leaving = new AbortController();
    const asked = new Set(server.asked);
    const answer = call(gateway, order, {}, leaving.signal);
    answer.catch(() => {});
    await until('it is with the server', async () => server.asked.size > asked.size);
    const id = [...server.asked].find((one) => !asked.has(one)) as string;
    return { id, leave: () => leaving.abort(), answer };
  };
  const pieces = async (response: Response) => {
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let i = 0; i < 3; i++) await reader.read();
    return reader;
  };
  const plain = await begin({ tokens: 7, pace: 5000 });
  plain.leave();
  const stream = await begin({ tokens: 500, pace: 20, stream: true });
  // They have come through the gateway, so it has counted them.
  await pieces(await stream.answer);
  stream.leave();
  const doubt = await begin({ tokens: 500, pace: 20, stream: true });
  const reader = await pieces(await doubt.answer);
  await writtenDown(folder, doubt.id);
  for (const pid of await workerPids(gateway)) kill(pid);
  await reader.read().catch(() => {});
  const told = async () =>
    (await (await fetch(`${gateway.adminUrl}/api/v1/usage/entries`)).json()) as { entries: unknown[] };
  await until('three entries', async () => (await told()).entries.length === 3);
  await gateway.stop();
  const entries = new Map((await ledgerOf(folder)).map((entry) => [detailOf(entry).request, entry]));
  const [left, cut, dead] = [plain, stream, doubt].map(({ id }) => entries.get(id));
  assert.ok((left?.inputTokens ?? 0) > 0);
  assert.equal(left?.outputTokens, 7, 'the bound: nobody knows how far it was');
  assert.ok((cut?.inputTokens ?? 0) > 0);
  assert.ok((cut?.outputTokens ?? 0) > 0 && (cut?.outputTokens ?? 0) < 500);
  assert.ok((dead?.inputTokens ?? 0) > 0);
  assert.equal(dead?.outputTokens, 500);
  assert.equal(dead === undefined ? '' : detailOf(dead).outcome, 'in_doubt');
  for (const entry of [left, cut, dead]) assert.ok((entry?.cost ?? 0) > 0);
});
