/** What testssl.sh finds at a running listener, by its quick sections: nothing above LOW, and nothing that it cannot tell. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Gateway, startGateway } from '../gateway.ts';
import { needCommand, needs } from '../peers.ts';
import { Authority } from './authority.ts';

/** Protocols, certificate and extensions. */
const SECTIONS = ['--protocols', '--server-defaults'];
/** Forward secrecy, which TLS 1.3 always has. */
const FORWARD_SECRECY = '--pfs';
const FINE = new Set(['OK', 'INFO', 'LOW']);
/**
 * Findings that say nothing of the server: what the machine's OpenSSL lacks, and resumption, which testssl tries with a client
 * that leaves right after the handshake, often before a TLS 1.3 ticket has come; handshake.test.ts holds resumption.
 */
const OF_THE_MACHINE = new Set(['engine_problem', 'sessionresumption_ticket', 'sessionresumption_ID']);

/** Seconds for which it waits for an answer, where its own few are too short for a busy machine. */
const PATIENCE = { MAX_WAITSOCK: '60', HEADER_MAXSLEEP: '60' };

interface Finding {
  id: string;
  severity: string;
  finding: string;
}

describe('testssl.sh', { ...needs({ commands: ['testssl', 'openssl'] }), concurrency: 2 }, () => {
  let authority: Authority;
  let gateway: Gateway;

  before(async () => {
    authority = new Authority();
    const pair = authority.issue('gate', ['localhost']);
    const certificates = [{ ...pair, ocsp: authority.ocsp(pair) }];
    const listener = (policy: string) => ({ address: '127.0.0.1:0', tls: { policy, certificates } });
    gateway = await startGateway({
      listeners: { modern: listener('modern'), intermediate: listener('intermediate') },
      upstreams: { main: { endpoints: [{ url: 'http://127.0.0.1:9' }] } },
      routes: [{ name: 'all', match: { path: '/never' }, upstream: 'main' }],
    });
  });
  after(async () => {
    await gateway?.stop();
    authority?.remove();
  });

  /** All findings about a listener. */
  const findingsOf = (listener: string, sections: readonly string[]): Promise<Finding[]> => {
    const file = join(authority.folder, `${listener}.json`);
    const { port } = new URL(gateway.urls[listener] as string);
    const manner = ['--nodns', 'none', '--warnings', 'off', '--color', '0', '--quiet'];
    const args = [...manner, '--add-ca', authority.certificate, ...sections, '--jsonfile', file, `localhost:${port}`];
    return new Promise((resolve, reject) => {
      // Its exit code counts oddities of its own; the file says what was found.
      execFile(needCommand('testssl'), args, { env: { ...process.env, ...PATIENCE } }, (_error, stdout) => {
        try {
          resolve(JSON.parse(readFileSync(file, 'utf8')) as Finding[]);
        } catch (error) {
          reject(new Error(`testssl left no findings: ${(error as Error).message}\n${stdout}`));
        }
      });
    });
  };

  const expected: [string, string[], Record<string, RegExp>][] = [
    ['modern', SECTIONS, { TLS1_2: /not offered/, TLS1_3: /offered/ }],
    ['intermediate', [...SECTIONS, FORWARD_SECRECY], { TLS1_1: /not offered/, TLS1_2: /^offered/, TLS1_3: /offered/ }],
  ];
  for (const [policy, sections, lines] of expected) {
    test(policy, async () => {
      const findings = await findingsOf(policy, sections);
      const finding = (id: string) => findings.find((one) => one.id === id)?.finding ?? `nothing about ${id}`;
      for (const [id, pattern] of Object.entries(lines)) assert.match(finding(id), pattern, id);
      assert.match(finding('OCSP_stapling'), /^offered/);
      const bad = findings.filter(({ id, severity }) => !FINE.has(severity) && !OF_THE_MACHINE.has(id));
      assert.deepEqual(bad, []);
    });
  }
});
