/** Asks the admin API of a running gateway. */
import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { Command } from 'commander';
import { formatProblem, loadConfig } from '../config/config.ts';

/** Where the admin API is when nobody says otherwise; the default of `admin.address`. */
const USUAL = '127.0.0.1:9901';
/** How long an answer may take (milliseconds): an upgrade starts a program. */
const PATIENCE_MS = 90_000;
/** Where the token is taken from when no file is named. */
const TOKEN_VARIABLE = 'GATEHOUSE_ADMIN_TOKEN';

/** Where to ask, and as whom. */
export interface AdminFlags {
  admin?: string;
  config?: string;
  tokenFile?: string;
}

/** Adds `--admin` and `--token-file` to a command, and `-c` unless the command has one of its own. */
export function withAdmin(command: Command, config = true): Command {
  command.option('--admin <address>', `admin port of the running gateway: HOST:PORT or unix:/path (default: ${USUAL})`);
  if (config) command.option('-c, --config <file>', 'take the address of the admin port from this configuration');
  return command.option('--token-file <file>', `file of the admin token; ${TOKEN_VARIABLE} when left out`);
}

/** Where the admin API is: what `--admin` says, else the configuration. */
export function adminAddress({ admin, config }: AdminFlags): string {
  if (admin !== undefined || config === undefined) return admin ?? USUAL;
  const loaded = loadConfig(config);
  if (!loaded.ok) throw new Error(`${config} is wrong:\n${loaded.problems.map(formatProblem).join('\n')}`);
  return loaded.config.admin.address;
}

/** An answer of the admin API. */
export interface AdminAnswer {
  status: number;
  /** The JSON document; undefined when there is none. */
  value: unknown;
  /** Version of the document, as `If-Match` wants it. */
  etag: string | undefined;
}

/** The admin API has said no. `message` tells why. */
export class AdminRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Sends a request. Throws an `Error` for operators when nobody answers, or an `AdminRefusal` with the reason. */
export async function askAdmin(
  where: AdminFlags,
  method: string,
  path: string,
  document?: unknown,
  fields: Record<string, string> = {},
): Promise<AdminAnswer> {
  const admin = adminAddress(where);
  const answer = await send(admin, method, path, document === undefined ? '' : JSON.stringify(document), {
    ...fields,
    ...authorization(where),
  });
  if (answer.status < 300) return answer;
  const { detail, problems } = (answer.value ?? {}) as { detail?: string; problems?: unknown };
  // Asked for and refused, with the problems in the document.
  if (answer.status === 409 && problems !== undefined) return answer;
  const reason = detail ?? `${admin} answered ${answer.status}`;
  const hint = answer.status === 401 ? ` Set ${TOKEN_VARIABLE}, or name a file by --token-file.` : '';
  throw new AdminRefusal(answer.status, `${reason}${hint}`);
}

function authorization({ tokenFile }: AdminFlags): Record<string, string> {
  const token = (tokenFile === undefined ? process.env[TOKEN_VARIABLE] : readFileSync(tokenFile, 'utf8'))?.trim();
  if (token === undefined || token === '') return {};
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Error(`${tokenFile ?? TOKEN_VARIABLE} holds no token`);
  return { Authorization: `Bearer ${token}` };
}

function send(
  admin: string,
  method: string,
  path: string,
  body: string,
  fields: Record<string, string>,
): Promise<AdminAnswer> {
  const unix = admin.startsWith('unix:');
  const base = unix
    ? 'http://localhost'
    : /^http:/.test(admin)
      ? admin
      : `http://${admin.replace(/^[*]?:/, '127.0.0.1:')}`;
  if (!URL.canParse(path, base)) throw new Error(`--admin ${admin}: expected HOST:PORT or unix:/path`);
  return new Promise((resolve, reject) => {
    const described =
      body === '' ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const headers = { ...described, ...fields };
    const options = { method, headers, timeout: PATIENCE_MS, ...(unix ? { socketPath: admin.slice(5) } : {}) };
    const asking = request(new URL(path, base), options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          const value: unknown = text === '' ? undefined : JSON.parse(text);
          resolve({ status: response.statusCode ?? 0, value, etag: etagOf(response.headers) });
        } catch {
          reject(new Error(`${admin} is no admin API of a gateway: its answer is not JSON`));
        }
      });
    });
    asking.on('timeout', () => asking.destroy(new Error('no answer within 90 s')));
    asking.on('error', (error: NodeJS.ErrnoException) => {
      const why = error.code ?? error.message;
      reject(new Error(`cannot reach the admin API at ${admin} (${why}); is the gateway running? --admin says where`));
    });
    asking.end(body);
  });
}

const etagOf = ({ etag }: IncomingHttpHeaders): string | undefined => etag;
