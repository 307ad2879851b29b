/** Tenants, plans and the like by the command line, on real processes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PATIENCE, start } from './gateway.fixture.ts';

test('tenants, plans, domains, admins and tokens by the command line', PATIENCE, async (t) => {
  const { run, gateway } = await start(t);
  const ok = async (...args: string[]) => {
    const { code, out, err } = await run(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${err}`);
    return out;
  };
  await ok('plans', 'create', 'team', '--set', 'permissions.models=[small-*]');
  await ok('tenants', 'create', 'acme', '--set', 'plan=team', '--set', 'name=Acme Inc.');
  assert.match(await ok('tenants', 'list'), /acme +Acme Inc\. +team/);
  assert.match(await ok('tenants', 'change', 'acme', '--set', 'labels.tier=gold'), /labels +\{"tier":"gold"\}/);
  // What the gateway would say to a key of its store, asked from elsewhere.
  const { id: keyId } = JSON.parse(
    await ok('keys', 'create', '--principal', 'alice', '--tenant', 'acme', '--scope', 'inference', '--json'),
  );
  const explained = ['check', '-c', gateway.file, '--as', keyId, '--explain'];
  const allowed = await ok(...explained, 'POST /v1/chat/completions model=small-1');
  assert.match(allowed, new RegExp(`key ${keyId} of alice \\(in the store\\)`));
  assert.match(await ok(...explained, 'POST /v1/chat/completions model=large'), /refused by plan:team\/models/);
  const nobody = await run('check', '-c', gateway.file, '--as', 'key_nobody', '--explain', 'GET /v1/models');
  assert.match(nobody.out, /no key with this name or text is in the configuration or the gateway at/);
  await ok('keys', 'delete', keyId);
  await ok('domains', 'create', 'chat.example.com', '--set', 'tenant=acme', '--set', 'acme=true');
  assert.match(await ok('domains', 'show', 'chat.example.com'), /tenant +acme/);
  const token = await ok('admins', 'create', '--name', 'vera', '--role', 'viewer');
  const seen = await fetch(`${gateway.adminUrl}/api/status`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(seen.status, 200);
  const id = JSON.parse(await ok('token', 'revoke', '--id', 'jti-1', '--json')).id as string;
  assert.match(await ok('token', 'revocations'), /jti-1/);
  await ok('token', 'restore', id);
  // What ends the tokens of the key that was deleted above stays.
  const left = JSON.parse(await ok('token', 'revocations', '--json')) as { kind: string; value: string }[];
  assert.deepEqual(
    left.filter(({ kind, value }) => kind !== 'session' || value !== keyId),
    [],
  );
  await ok('domains', 'delete', 'chat.example.com');
  await ok('tenants', 'delete', 'acme');
  assert.equal((await run('tenants', 'show', 'acme')).code, 1);
});

test('what makes a key end can be taken away by the command line', PATIENCE, async (t) => {
  const { run } = await start(t);
  const made = await run('keys', 'create', '--principal', 'alice', '--id', 'trial', '--expires', '14d', '--json');
  assert.equal(typeof JSON.parse(made.out).expiresAt, 'string', made.err);
  const wrong = await run('keys', 'change', 'trial', '--expires', 'later');
  assert.deepEqual([wrong.code, /expected 90d/.test(wrong.err)], [2, true], wrong.err);
  const changed = await run('keys', 'change', 'trial', '--expires', 'never', '--json');
  assert.deepEqual([changed.code, JSON.parse(changed.out).expiresAt], [0, undefined], changed.err);
});
