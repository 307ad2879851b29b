/**
 * Reads objects of an S3-compatible bucket: GET with If-None-Match, and ListObjectsV2. Requests are signed with AWS
 * Signature Version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html) where there are keys.
 */
import { createHash, createHmac } from 'node:crypto';

/** Where a bucket is and who asks. */
export interface BucketSettings {
  /** `https://s3.eu-central-1.amazonaws.com`; the bucket is the first step of the path. */
  endpoint: string;
  region: string;
  bucket: string;
  /** Left out: asked without a signature, as public buckets allow. */
  keys?: { id: string; secret: string; token?: string };
}

/** An object's contents. */
export interface BucketObject {
  etag: string;
  bytes: Uint8Array;
}

/** How long one request may take (milliseconds), and how many bytes its answer may have. */
const PATIENCE_MS = 10_000;
const MAX_BYTES = 16 * 1024 * 1024;
/** Pages of a listing; a thousand objects each. */
const MAX_PAGES = 10;

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** A bucket to read. Every call rejects with an `Error` that says what the server did. */
export class Bucket {
  readonly #settings: BucketSettings;

  constructor(settings: BucketSettings) {
    this.#settings = settings;
  }

  /** An object; undefined when it still has this ETag. */
  async get(key: string, etag?: string): Promise<BucketObject | undefined> {
    const answer = await this.#ask(`/${key}`, {}, etag === undefined ? {} : { 'if-none-match': etag });
    if (answer.status === 304) return undefined;
    const bytes = await body(answer);
    return { etag: answer.headers.get('etag') ?? createHash('sha256').update(bytes).digest('hex'), bytes };
  }

  /** Keys that start with `prefix`, with their ETags, in the order of their names. */
  async list(prefix: string): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    let token = '';
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { 'list-type': '2', prefix, ...(token ? { 'continuation-token': token } : {}) };
      const answer = await this.#ask('/', query, {});
      const xml = new TextDecoder().decode(await body(answer));
      if (!/<ListBucketResult[\s>]/.test(xml)) throw new Error('its answer is no listing of a bucket (ListObjectsV2)');
      for (const [, entry = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const key = tag(entry, 'Key');
        if (key !== undefined) found.set(key, tag(entry, 'ETag') ?? '');
      }
      token = tag(xml, 'NextContinuationToken') ?? '';
      if (!token) return found;
    }
    throw new Error(`it lists more than ${MAX_PAGES * 1000} objects; use a narrower prefix`);
  }

  async #ask(path: string, query: Record<string, string>, more: Record<string, string>): Promise<Response> {
    const { endpoint, bucket } = this.#settings;
    const url = new URL(endpoint);
    url.pathname = `${url.pathname.replace(/\/$/, '')}/${encode(bucket, false)}${encode(path, true)}`;
    const sorted = Object.entries(query).sort(([a], [b]) => (a < b ? -1 : 1));
    url.search = sorted.map(([name, value]) => `${encode(name, false)}=${encode(value, false)}`).join('&');
    let answer: Response;
    try {
      const headers = { ...more, ...sign(url, this.#settings, new Date()) };
      answer = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(PATIENCE_MS) });
    } catch (error) {
      const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
      const why =
        name === 'TimeoutError'
          ? `no answer within ${PATIENCE_MS / 1000} s`
          : (cause?.code ?? cause?.message ?? message);
      throw new Error(`${url.host} cannot be reached: ${why}`);
    }
    if (answer.ok || answer.status === 304) return answer;
    const text = new TextDecoder().decode(await body(answer));
    const code = tag(text, 'Code') ?? '';
    throw new Error(`${url.host} answered ${answer.status} ${code}${ADVICE[answer.status] ?? ''}`.trim());
  }
}

const ELSEWHERE = ': the bucket is elsewhere; check AWS_REGION and AWS_ENDPOINT_URL_S3';
const ADVICE: Record<number, string> = {
  301: ELSEWHERE,
  302: ELSEWHERE,
  307: ELSEWHERE,
  308: ELSEWHERE,
  403: ': check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may read',
  404: ': check the names of the bucket and the object',
};

/** The fields that sign a GET of this address. Time as a Date. */
export function sign(url: URL, { keys, region }: BucketSettings, at: Date): Record<string, string> {
  if (!keys) return {};
  const stamp = at.toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = stamp.slice(0, 8);
  const scope = `${day}/${region}/s3/aws4_request`;
  const fields: Record<string, string> = {
    host: url.host,
    'x-amz-content-sha256': sha256(''),
    'x-amz-date': stamp,
    ...(keys.token ? { 'x-amz-security-token': keys.token } : {}),
  };
  const names = Object.keys(fields).join(';');
  const lines = Object.entries(fields).map(([name, value]) => `${name}:${value}\n`);
  const canonical = ['GET', url.pathname, url.search.slice(1), lines.join(''), names, sha256('')].join('\n');
  const text = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical)].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${keys.secret}`);
  const { host: _, ...sent } = fields;
  const signature = hmac(key, text).toString('hex');
  const credential = `Credential=${keys.id}/${scope},SignedHeaders=${names},Signature=${signature}`;
  return { ...sent, authorization: `AWS4-HMAC-SHA256 ${credential}` };
}

/** Percent-encoding as the signature wants it; `path` leaves slashes alone. */
function encode(text: string, path: boolean): string {
  const all = encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return path ? all.replaceAll('%2F', '/') : all;
}

function tag(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1];
  const marks: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text?.replace(/&(?:#(\d+)|(lt|gt|quot|apos|amp));/g, (_, code?: string, mark?: string) =>
    code ? String.fromCodePoint(Number(code)) : (marks[mark ?? ''] ?? ''),
  );
}

async function body(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of answer.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new Error(`its answer has more than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
