import { after, before, describe } from 'node:test';
import { needs } from '../../../test/peers.ts';
import { type Postgres, startPostgres } from '../../../test/postgres.ts';
import { ManualClock } from '../../kernel/clock.ts';
import { contract } from '../contract.fixture.ts';
import { modelTest } from '../model.fixture.ts';
import { type Subject, shown } from '../stage.fixture.ts';
import { openPostgres } from './postgres.ts';

describe('postgres', needs({ commands: ['pg_lsclusters'] }), () => {
  const clock = new ManualClock();
  let server: Postgres;
  let number = 0;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.close());
  const subject: Subject = {
    open: () =>
      openPostgres(
        { driver: 'postgres', url: server.url, schema: `s${number}`, connections: 3, timeout: 60_000 },
        { clock, shown },
      ),
    wipe: async () => {
      number++;
    },
    advance: (ms) => clock.advance(ms),
    settle: () => new Promise((resolve) => setTimeout(resolve, 20)),
  };
  contract('contract', subject);
  modelTest(subject, 15);
});
