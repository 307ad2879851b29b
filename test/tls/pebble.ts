/** A real certification authority for tests: Debian's pebble, with a name server that answers 127.0.0.1 for everything. */
import { spawn } from 'node:child_process';
import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { makeCertificate } from '../certificate.ts';
import { freePort } from '../port.ts';
import { listenTo } from '../program.ts';

/** A running authority. */
export interface Pebble {
  /** URL of its directory. */
  directory: string;
  /** PEM file with the authority of the directory's own certificate. */
  ca: string;
  /** A folder for what the test needs, gone at the end. */
  folder: string;
  readonly logs: string;
  stop(): Promise<void>;
}

/** What is set. */
export interface PebbleOptions {
  /** Ports at which it asks for proofs. */
  httpPort: number;
  tlsPort: number;
  /** Key identifier → MAC key in base64url; a binding is asked for then. */
  external?: Record<string, string>;
  /** Seconds that certificates live; years when left out. */
  lifeSeconds?: number;
  /** Names it refuses to issue for. */
  blocked?: string[];
  /** Percentage of good nonces that are refused. */
  badNonces?: number;
}

/** Until the name server answers: what the authority asks before fails, and is asked again much later. */
async function namesAnswer(port: number): Promise<void> {
  const resolver = new Resolver({ timeout: 1000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  for (let answers = false; !answers; ) {
    await setTimeout(20);
    answers = await resolver.resolve4('ready.example.com').then(
      () => true,
      () => false,
    );
  }
}

/** Starts the authority; resolves when it answers. */
export async function startPebble(options: PebbleOptions): Promise<Pebble> {
  const { httpPort, tlsPort, external, lifeSeconds, blocked, badNonces = 0 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-pebble-'));
  const [port, management, dns, mock] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const own = makeCertificate({ name: 'Directory CA', authority: true });
  const directory = makeCertificate({ name: 'localhost', hosts: ['localhost', '127.0.0.1'], issuer: own });
  const at = (name: string) => join(folder, name);
  writeFileSync(at('ca.pem'), own.certificate);
  writeFileSync(at('cert.pem'), directory.certificate);
  writeFileSync(at('key.pem'), directory.key);
  const pebble = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: at('cert.pem'),
    privateKey: at('key.pem'),
    httpPort,
    tlsPort,
    ocspResponderURL: '',
    externalAccountBindingRequired: external !== undefined,
    ...(external && { externalAccountMACKeys: external }),
    ...(lifeSeconds !== undefined && { certificateValidityPeriod: lifeSeconds }),
    ...(blocked && { domainBlocklist: blocked }),
  };
  writeFileSync(at('config.json'), JSON.stringify({ pebble }));
  const names = listenTo(
    spawn(
      'pebble-challtestsrv',
      [
        '-defaultIPv6',
        '',
        '-dns01',
        `127.0.0.1:${dns}`,
        '-http01',
        '',
        '-https01',
        '',
        '-tlsalpn01',
        '',
        '-management',
        `127.0.0.1:${mock}`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    ),
  );
  const authority = listenTo(
    spawn('pebble', ['-config', at('config.json'), '-dnsserver', `127.0.0.1:${dns}`], {
      env: {
        ...process.env,
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: String(badNonces),
        PEBBLE_AUTHZREUSE: '0',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
  const stop = async () => {
    await Promise.all([authority.stop(), names.stop()]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await authority.waitFor(/ACME directory available at/);
    await namesAnswer(dns);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    directory: `https://localhost:${port}/dir`,
    ca: at('ca.pem'),
    folder,
    get logs() {
      return authority.logs;
    },
    stop,
  };
}
