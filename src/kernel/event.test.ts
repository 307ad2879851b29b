import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Events } from './event.ts';

test('subscribers hear in order, until they leave', () => {
  const events = new Events();
  const heard: string[] = [];
  const leave = events.on('connectionOpened', (who) => heard.push(`a ${who}`));
  events.on('connectionOpened', (who) => heard.push(`b ${who}`));
  events.emit('connectionOpened', '1');
  leave();
  leave();
  events.emit('connectionOpened', '2');
  events.emit('connectionClosed', '3');
  assert.deepEqual(heard, ['a 1', 'b 1', 'b 2']);
});

test('one that throws harms nobody, and is told', () => {
  const events = new Events();
  const heard: string[] = [];
  events.on('fault', () => {
    throw new Error('broken');
  });
  events.on('fault', ({ kind }) => heard.push(kind));
  events.on('notice', ({ level, message }) => heard.push(`${level}: ${message}`));
  events.emit('fault', { kind: 'bare_lf', where: 'public' });
  assert.deepEqual(heard, ['error: observer of fault failed: Error: broken', 'bare_lf']);
});

test('a notice that throws does not go round', () => {
  const events = new Events();
  let heard = 0;
  events.on('notice', () => {
    heard++;
    throw new Error('broken');
  });
  events.emit('notice', { level: 'info', message: 'x' });
  assert.equal(heard, 1);
});
