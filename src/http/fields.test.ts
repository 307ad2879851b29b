import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpFault } from './fault.ts';
import { FieldSection, listMembers, trimOws } from './fields.ts';
import { HOP_BY_HOP, KNOWN } from './known.ts';

function section(text: string): FieldSection {
  const fields = new FieldSection();
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const end = fields.parse(bytes, 0, 0, 50);
  assert.ok(!(end instanceof HttpFault), end instanceof HttpFault ? end.message : '');
  assert.equal(end, bytes.length);
  fields.text = bytes.toString('latin1');
  return fields;
}

const fields = section('Via: 1\r\nX-A: \t b \t\r\nvia:2\r\nTE: x\r\nx-a:\r\nHost_: y\r\n');

test('looks up by any case, first and all', () => {
  assert.equal(fields.get('x-a'), 'b');
  assert.equal(fields.get('x-b'), undefined);
  assert.deepEqual([fields.count('x-a'), fields.count('via'), fields.count('nothing')], [2, 2, 0]);
  assert.equal(fields.known(KNOWN.via), '1');
  assert.equal(fields.knownList(KNOWN.via), '1, 2');
  assert.equal(fields.knownList(KNOWN.expect), '');
  assert.equal(fields.known(KNOWN.expect), undefined);
});

test('copies on what may travel, as it was written', () => {
  assert.equal(fields.lines(0), 'Via: 1\r\nX-A: \t b \t\r\nvia:2\r\nTE: x\r\nx-a:\r\nHost_: y\r\n');
  assert.equal(fields.lines(HOP_BY_HOP), 'Via: 1\r\nX-A: \t b \t\r\nvia:2\r\nx-a:\r\nHost_: y\r\n');
  assert.equal(fields.lines(KNOWN.via | HOP_BY_HOP), 'X-A: \t b \t\r\nx-a:\r\nHost_: y\r\n');
  assert.equal(
    fields.linesWhere(KNOWN.via, (name) => name !== 'x-a'),
    'TE: x\r\nHost_: y\r\n',
  );
  assert.equal(section('').lines(HOP_BY_HOP), '');
  assert.equal(section('TE: a\r\n').lines(HOP_BY_HOP), '');
});

test('a field that is named away is gone from every look-up', () => {
  const named = section('X-Request-Id: 1\r\nX-Request-ID: 2\r\nContent-Type: a\r\nContent-Length: 5\r\nX-A: b\r\n');
  named.markConnectionNamed('X-REQUEST-ID,\t content-type,content-length , x-a');
  for (const bit of Object.values(KNOWN)) {
    const expected = bit === KNOWN['content-length'] ? '5' : undefined;
    assert.equal(named.known(bit), expected);
    assert.equal(named.knownList(bit), expected ?? '');
  }
  assert.equal(named.lines(HOP_BY_HOP), '');
});

test('naming a thousand times costs what naming once costs', () => {
  const many = section('A: b\r\nC: d\r\n');
  many.markConnectionNamed('a,'.repeat(10_000));
  assert.equal(many.lines(HOP_BY_HOP), 'C: d\r\n');
});

test('a known name with an underscore is another field, and told', () => {
  const odd = section('Content_Length: 5\r\nX_A: b\r\nX_Forwarded-For: c\r\n');
  assert.equal(odd.seen, 0);
  assert.equal(odd.underscored, KNOWN['content-length'] | KNOWN['x-forwarded-for']);
});

test('lists are split at commas, whitespace is SP and HTAB', () => {
  assert.deepEqual(listMembers(' A ,\tb,, \xa0c,'), ['a', 'b', '\xa0c']);
  assert.equal(trimOws(' \t a\xa0\t'), 'a\xa0');
  assert.equal(trimOws(' \t '), '');
});
