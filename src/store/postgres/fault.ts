/** What PostgreSQL and its client report → a fault that says who, what, why and what to do. Pure. */
import { StoreError, type StoreFault } from '../error.ts';

/** SQLSTATE, or its class of two characters (PostgreSQL manual, appendix A) → fault, and what to do. */
const STATES: Readonly<Record<string, readonly [StoreFault, string]>> = {
  '08': ['unreachable', 'Check server and network.'],
  '25006': [
    'readonly',
    'It takes no writes: name the primary, not a standby, and check default_transaction_read_only.',
  ],
  '28': ['denied', 'Check user and password of store.url.'],
  '3D000': ['denied', 'Make the database, or name another one in store.url.'],
  '40': ['locked', 'Another transaction was in the way: try again.'],
  '42501': ['denied', 'Give the user of store.url the right: GRANT CREATE ON DATABASE, or make the schema for it.'],
  '42P07': [
    'corrupt',
    'The schema holds tables of another program, and was left as it is: name another one (store.schema).',
  ],
  '53': ['unreachable', 'The server is short of something: see its log.'],
  '53100': ['full', 'The disk of the server is full, and nothing of the write was kept. Make room.'],
  '53300': ['unreachable', 'The server takes no more connections: raise max_connections, or lower store.connections.'],
  '55P03': ['locked', 'Another transaction was in the way: try again.'],
  '57': ['unreachable', 'The server is starting or stopping: it will be tried again.'],
  '58': ['failed', 'The server had a fault of its machine: see its log.'],
  XX: ['corrupt', 'The server reports damaged data: see its log, and restore a backup.'],
};

/** Codes of the client and the operating system that mean: nobody there. */
const GONE =
  /^(CONNECTION_|CONNECT_TIMEOUT|ECONN|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|EHOSTDOWN)/;

/** The error to reject with. `writing`: then nobody knows whether what was cut off has been kept. */
export function postgresFault(error: unknown, place: string, doing: string, writing: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  const said = message === '' ? code : message;
  const [fault, advice] = STATES[code] ?? STATES[code.slice(0, 2)] ?? byCode(code);
  const unsure =
    writing && /^(CONNECTION_(CLOSED|DESTROYED)|ECONNRESET|EPIPE|ETIMEDOUT)/.test(code)
      ? ' Whether it was written is not known: read it before you repeat.'
      : '';
  return new StoreError(fault, `Store ${place}: ${doing} failed: ${said}. ${advice}${unsure}`, error);
}

function byCode(code: string): readonly [StoreFault, string] {
  if (GONE.test(code)) return ['unreachable', 'Check server, network and store.url; it is tried again all the time.'];
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code))
    return ['denied', 'TLS with the server failed: check sslmode in store.url and the certificate of the server.'];
  if (code === 'AUTH_TYPE_NOT_IMPLEMENTED' || code.startsWith('SASL_'))
    return ['denied', 'Check how the server asks for passwords (pg_hba.conf).'];
  return ['failed', 'Please report this, with the message.'];
}
