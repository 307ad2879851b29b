/**
 * `npm run hammer -- --seconds N`: 50 keys hammered on two nodes of two workers each around a real Redis, with at least three times what
 * their limits allow. Ends with 1 when one key gets more than its limit, or much less than the others.
 */
import { parseArgs } from 'node:util';
import { hammer } from './quota/hammer.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    limit: { type: 'string', default: '10' },
    keys: { type: 'string', default: '50' },
  },
});
const [seconds, limit, keys] = [Number(values.seconds), Number(values.limit), Number(values.keys)];
if (!(seconds > 2) || !(limit >= 1) || !(keys >= 1)) {
  console.error('usage: npm run hammer -- [--seconds N] [--limit REQUESTS-A-SECOND] [--keys N]');
  process.exit(2);
}
const load = { nodes: 2, workers: 2, connections: 64, depth: 4 };
const found = await hammer({ seconds, keys, limit, windowMs: 1000, ...load });
const share = (value: number) => `${Math.round(value * 100)} %`;
console.log(
  `${found.asked} requests of ${keys} keys in ${seconds} s, ${found.times.toFixed(1)} times what they may: ${JSON.stringify(found.statuses)}\n` +
    `in any second at most ${found.most} of ${limit}; a key had ${share(found.leastShare)} to ${share(found.mostShare)} of its limit`,
);
const wrong: string[] = [];
if (found.most > limit) wrong.push('a key had more than its limit');
if (found.leastShare < 0.8) wrong.push('a key was starved');
if (found.times < 3) wrong.push('this machine could not offer three times what the limits allow: try a lower --limit');
for (const one of wrong) console.error(one);
process.exitCode = wrong.length === 0 ? 0 : 1;
