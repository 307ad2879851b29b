import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sign } from './bucket.ts';

// "GET Object" and "Get Bucket (List Objects)" of the signature's documentation; its Range field is not ours, so the
// listing, which has no field of its own, is what can be compared.
test('a listing is signed as the documentation shows', () => {
  const keys = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
  const url = new URL('https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J');
  const fields = sign(url, { endpoint: '', region: 'us-east-1', bucket: '', keys }, new Date('2013-05-24T00:00:00Z'));
  assert.equal(fields['x-amz-date'], '20130524T000000Z');
  assert.match(
    fields.authorization ?? '',
    /Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7$/,
  );
});

test('who has no keys signs nothing', () => {
  const url = new URL('https://bucket.example/');
  assert.deepEqual(sign(url, { endpoint: '', region: 'r', bucket: 'b' }, new Date(0)), {});
});
