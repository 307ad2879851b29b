import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Bucket, sign } from './bucket.ts';

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

test('a wrong region or address is told as such, and nobody is followed to another one', async (t) => {
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    response.writeHead(301, { location: '/elsewhere' });
    response.end('<Error><Code>PermanentRedirect</Code></Error>');
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const bucket = new Bucket({ endpoint: `http://127.0.0.1:${port}`, region: 'r', bucket: 'b' });
  await assert.rejects(bucket.get('key'), {
    message: `127.0.0.1:${port} answered 301 PermanentRedirect: the bucket is elsewhere; check AWS_REGION and AWS_ENDPOINT_URL_S3`,
  });
  assert.equal(asked, 1);
});
