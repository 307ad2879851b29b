import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../kernel/clock.ts';
import { CalendarPeriod, type CalendarUnit } from './period.ts';

const HOUR = 3_600_000;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Africa/Casablanca',
  'America/St_Johns',
  'Asia/Beirut',
];

/** What a wall clock there shows, as text that is alike within one period. */
function said(wall: number, unit: CalendarUnit, timeZone: string): string {
  const parts: Record<string, string> = {};
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
  });
  for (const { type, value } of format.formatToParts(wall)) parts[type] = value;
  const { year, month, day, hour } = parts;
  if (unit === 'month') return `${year}-${month}`;
  if (unit === 'hour') return `${year}-${month}-${day}T${hour}`;
  if (unit === 'day') return `${year}-${month}-${day}`;
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}

test('a period begins and ends where the calendar of the zone does, summer time or not', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(2012, 0, 1), max: Date.UTC(2037, 0, 1) }),
      fc.constantFrom(...ZONES),
      fc.constantFrom<CalendarUnit>('day', 'week', 'month', 'hour'),
      (wall, zone, unit) => {
        const clock = new ManualClock(wall);
        const period = new CalendarPeriod(1, unit, zone, clock);
        const start = period.startedAt;
        const end = wall + period.left();
        const where = `${unit} in ${zone} at ${new Date(wall).toISOString()}: ${new Date(start).toISOString()} to ${new Date(end).toISOString()}`;
        assert.ok(start <= wall && wall < end, where);
        const name = said(wall, unit, zone);
        assert.equal(said(start, unit, zone), name, where);
        assert.equal(said(end - 1, unit, zone), name, where);
        // An hour that comes twice, when clocks are set back, is two hours.
        if (unit !== 'hour') {
          assert.notEqual(said(start - 1, unit, zone), name, where);
          assert.notEqual(said(end, unit, zone), name, where);
        }
      },
    ),
    { numRuns: 1500 },
  );
});

test('a wall clock that jumps opens no new period and keeps no old one, until the jump has lasted', () => {
  for (const jump of [30 * HOUR, -30 * HOUR, 5 * 24 * HOUR]) {
    const clock = new ManualClock(Date.UTC(2026, 5, 10, 12));
    const period = new CalendarPeriod(1, 'day', 'UTC', clock);
    const first = period.current();
    clock.jumpWall(jump);
    for (let minute = 0; minute < 9; minute++) {
      clock.advance(60_000);
      assert.equal(period.current(), first, `${jump / HOUR} h, after ${minute + 1} minutes`);
    }
    // Set right again: as if nothing had been.
    clock.jumpWall(-jump);
    clock.advance(60_000);
    assert.equal(period.current(), first);
    assert.equal(period.left(), Date.UTC(2026, 5, 11) - clock.wall());
  }
});

test('under steady small corrections the period turns on time, once', () => {
  const clock = new ManualClock(Date.UTC(2026, 5, 10, 23));
  const period = new CalendarPeriod(1, 'day', 'UTC', clock);
  const first = period.current();
  const seen = new Set<number>();
  for (let i = 0; i < 120; i++) {
    clock.jumpWall(i % 2 === 0 ? 20_000 : -20_000);
    clock.advance(60_000);
    seen.add(period.current());
  }
  assert.deepEqual([...seen], [first, first + 1]);
});
