import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashNumber, hashString } from './hash.ts';

/** Byte-wise MurmurHash3 x86_32, written from the description, as an oracle. */
function reference(bytes: Buffer, seed: number): number {
  const rotl = (x: bigint, r: bigint) => ((x << r) | (x >> (32n - r))) & 0xffffffffn;
  const mul = (a: bigint, b: bigint) => (a * b) & 0xffffffffn;
  let h = BigInt(seed >>> 0);
  const blocks = bytes.length >> 2;
  for (let i = 0; i < blocks; i++) {
    const k = mul(rotl(mul(BigInt(bytes.readUInt32LE(i * 4)), 0xcc9e2d51n), 15n), 0x1b873593n);
    h = (mul(rotl(h ^ k, 13n), 5n) + 0xe6546b64n) & 0xffffffffn;
  }
  let tail = 0n;
  for (let i = bytes.length - 1; i >= blocks * 4; i--) tail = (tail << 8n) | BigInt(bytes[i] as number);
  h ^= mul(rotl(mul(tail, 0xcc9e2d51n), 15n), 0x1b873593n);
  h ^= BigInt(bytes.length);
  h = mul(h ^ (h >> 16n), 0x85ebca6bn);
  h = mul(h ^ (h >> 13n), 0xc2b2ae35n);
  return Number(h ^ (h >> 16n));
}

test('the oracle gives the published values', () => {
  assert.equal(reference(Buffer.from(''), 1), 0x514e28b7);
  assert.equal(reference(Buffer.from('Hello, world!'), 0x9747b28c), 0x24884cba);
});

test('strings hash as MurmurHash3 of their UTF-16LE bytes', () => {
  for (const text of ['', 'a', 'ab', 'abc', 'sk-0123456789', 'größe', '模型', '🙂x']) {
    for (const seed of [0, 1, 0x9747b28c, 0xffffffff]) {
      assert.equal(hashString(text, seed), reference(Buffer.from(text, 'utf16le'), seed), `${text}/${seed}`);
    }
  }
});

test('numbers hash as MurmurHash3 of their four bytes', () => {
  for (const value of [0, 1, 0x7f000001, 0xffffffff]) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    assert.equal(hashNumber(value, 7), reference(bytes, 7));
  }
});
