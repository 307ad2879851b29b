/** A certification authority made with OpenSSL, as a real one is: serials, addresses of lists, revocation lists, OCSP. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Paths of a certificate and its key. */
export interface Issued {
  certificate: string;
  key: string;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const SERIAL_BYTES = 16;
const LIVES = { good: 'V', revoked: 'R' } as const;
/** End of every certificate's life in the authority's register. */
const REGISTERED_END = '491231235959Z';

/** The authority and what it has issued, in a folder of its own under the system's temporary one. */
export class Authority {
  readonly folder = mkdtempSync(join(tmpdir(), 'gatehouse-ca-'));
  /** Its certificate. */
  readonly certificate = join(this.folder, 'ca.pem');
  readonly #key = join(this.folder, 'ca.key');
  readonly #index = join(this.folder, 'index.txt');
  readonly #lives = new Map<string, keyof typeof LIVES>();

  constructor() {
    const may = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
    const extensions = may.flatMap((one) => ['-addext', one]);
    openssl('req', '-x509', ...EC, '-days', '365', '-subj', '/CN=Test CA', ...extensions, ...this.#own());
  }

  #own(): string[] {
    return ['-keyout', this.#key, '-out', this.certificate];
  }

  /** Issues a certificate for these DNS names. */
  issue(name: string, hosts: readonly string[] = [name]): Issued {
    const path = (ending: string) => join(this.folder, `${name}.${ending}`);
    const issued = { certificate: path('pem'), key: path('key') };
    openssl('req', ...EC, '-subj', `/O=Ex, Inc/CN=${name}`, '-keyout', issued.key, '-out', path('csr'));
    writeFileSync(
      path('ext'),
      [
        `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`,
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth,clientAuth',
        'subjectKeyIdentifier=hash',
        'authorityKeyIdentifier=keyid',
        // Nobody is there; it is only looked for.
        'authorityInfoAccess=OCSP;URI:http://127.0.0.1:9/ocsp',
        'crlDistributionPoints=URI:http://127.0.0.1:9/ca.crl',
      ].join('\n'),
    );
    const serial = `7${openssl('rand', '-hex', String(SERIAL_BYTES)).trim().slice(1)}`.toUpperCase();
    const signer = ['-CA', this.certificate, '-CAkey', this.#key, '-set_serial', `0x${serial}`, '-days', '90'];
    openssl('x509', '-req', '-in', path('csr'), ...signer, '-extfile', path('ext'), '-out', issued.certificate);
    this.#lives.set(serial, 'good');
    this.#register();
    return issued;
  }

  /** Revokes a certificate; `revocationList` and `ocsp` tell from then on. */
  revoke({ certificate }: Issued): void {
    const serial = openssl('x509', '-in', certificate, '-noout', '-serial').trim().replace('serial=', '');
    this.#lives.set(serial, 'revoked');
    this.#register();
  }

  /** Writes the revocation list as it is now and gives its path, which stays the same. */
  revocationList(): string {
    const path = join(this.folder, 'ca.crl');
    const settings = join(this.folder, 'ca.cnf');
    writeFileSync(
      settings,
      `[ca]\ndefault_ca=own\n[own]\ndatabase=${this.#index}\ndefault_md=sha256\ndefault_crl_days=7\n`,
    );
    openssl('ca', '-config', settings, '-gencrl', '-keyfile', this.#key, '-cert', this.certificate, '-out', path);
    return path;
  }

  /** Writes the OCSP response (DER) about a certificate, good for a day, and gives its path. */
  ocsp({ certificate }: Issued): string {
    const request = certificate.replace(/\.pem$/, '.ocsp-request');
    const response = certificate.replace(/\.pem$/, '.ocsp');
    openssl('ocsp', '-issuer', this.certificate, '-cert', certificate, '-no_nonce', '-reqout', request);
    const signer = ['-rsigner', this.certificate, '-rkey', this.#key, '-CA', this.certificate, '-ndays', '1'];
    openssl('ocsp', '-index', this.#index, ...signer, '-reqin', request, '-respout', response);
    return response;
  }

  /** Removes everything. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Writes the register that OpenSSL keeps as `index.txt`. */
  #register(): void {
    const lines = [...this.#lives].map(([serial, life]) => {
      const revoked = life === 'revoked' ? '200101000000Z' : '';
      return `${LIVES[life]}\t${REGISTERED_END}\t${revoked}\t${serial}\tunknown\t/CN=${serial}\n`;
    });
    writeFileSync(this.#index, lines.join(''));
  }
}

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
