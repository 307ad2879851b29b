/**
 * Our codec beside Node's own parser (llhttp, strict): what each accepts, how many messages it sees, and what is in them.
 * Every difference is listed with its reason in differential/listed.ts, or it is a fault.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fieldCases } from './differential/fields.ts';
import { lineCases } from './differential/lines.ts';
import { entryFor, type Listed, listedRequests, listedResponses } from './differential/listed.ts';
import { edits, mutate } from './differential/mutate.ts';
import * as node from './differential/node.ts';
import * as ours from './differential/ours.ts';
import { compare, type Difference } from './differential/outcome.ts';
import { framingCases } from './differential/requests.ts';
import { responseCases } from './differential/responses.ts';

/** Major version: parsers differ. */
const NODE = Number(process.versions.node.split('.')[0]);
/** Mutations of each corpus; with a fixed seed, so that the same code gives the same verdict everywhere. */
const MUTATIONS = 3000;
const SEED = Number(process.env.GATEHOUSE_TEST_SEED ?? 9112);

const requestCases = [...framingCases, ...fieldCases, ...lineCases];

/** Fails on what is not listed, and on what is listed and does not happen. */
function judge(found: readonly { name: string; bytes: string; difference: Difference }[], listed: readonly Listed[]) {
  const used = new Set<Listed>();
  const unlisted: string[] = [];
  for (const { name, bytes, difference } of found) {
    const entry = entryFor(difference, bytes, listed);
    if (entry) used.add(entry);
    else unlisted.push(`${name}: ${difference.signature} (${difference.detail})`);
  }
  const gone = listed
    .filter((entry) => !used.has(entry) && !(entry.until !== undefined && NODE >= entry.until))
    .map(({ signature, why }) => `${signature}: ${why}`);
  assert.deepEqual({ unlisted, gone }, { unlisted: [], gone: [] });
}

test(`${requestCases.length} requests`, async () => {
  const theirs = await Promise.all(requestCases.map(([, bytes]) => node.readRequests(bytes)));
  const found = requestCases.flatMap(([name, bytes], i) => {
    const difference = compare(ours.readRequests(bytes), theirs[i] as (typeof theirs)[number]);
    return difference ? [{ name, bytes, difference }] : [];
  });
  judge(found, listedRequests);
});

test(`${responseCases.length} responses`, async () => {
  const theirs = await Promise.all(responseCases.map(([, method, bytes]) => node.readResponse(bytes, method)));
  const found = responseCases.flatMap(([name, method, bytes], i) => {
    const difference = compare(ours.readResponse(bytes, method), theirs[i] as (typeof theirs)[number]);
    return difference ? [{ name, bytes, difference }] : [];
  });
  judge(found, listedResponses);
});

const short = ([, ...rest]: readonly string[]) => (rest.at(-1) as string).length < 1000;

test('mutated requests', async () => {
  const base = fc.constantFrom(...requestCases.filter(short));
  const property = fc.asyncProperty(base, edits, async ([, bytes], changes) => {
    const text = mutate(bytes, changes);
    const difference = compare(ours.readRequests(text), await node.readRequests(text));
    if (!difference || entryFor(difference, text, listedRequests)) return;
    assert.fail(`${JSON.stringify(text)}: ${difference.signature} (${difference.detail})`);
  });
  await fc.assert(property, { numRuns: MUTATIONS, seed: SEED });
});

test('mutated responses', async () => {
  const base = fc.constantFrom(...responseCases.filter(short));
  const property = fc.asyncProperty(base, edits, async ([, method, bytes], changes) => {
    const text = mutate(bytes, changes);
    const difference = compare(ours.readResponse(text, method), await node.readResponse(text, method));
    if (!difference || entryFor(difference, text, listedResponses)) return;
    assert.fail(`${method} ${JSON.stringify(text)}: ${difference.signature} (${difference.detail})`);
  });
  await fc.assert(property, { numRuns: MUTATIONS, seed: SEED });
});
