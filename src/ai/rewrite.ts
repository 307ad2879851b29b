/** Changes a JSON request by splicing bytes: everything not named stays as the client wrote it. */
import type { RequestPeek } from './peek.ts';

/** What to change. */
export interface RequestChange {
  /** New name for `model`. */
  model?: string;
  /** Ask for usage at the end of the stream (`stream_options.include_usage`). */
  askUsage?: boolean;
}

const ASK = '{"include_usage":true}';

/**
 * The body with the changes in it, as one new buffer; the body itself when nothing changes. `peek` must be what
 * `peekRequest` found in this very body.
 */
export function rewriteRequest(body: Buffer, peek: RequestPeek, change: RequestChange): Buffer {
  const model = change.model !== undefined && change.model !== peek.model ? JSON.stringify(change.model) : undefined;
  const ask = change.askUsage === true && !peek.includeUsage;
  if (model === undefined && !ask) return body;
  // At most two splices: [from, to) is replaced by text. An absent key goes in front of all others.
  let modelFrom = peek.objectStart;
  let modelTo = peek.objectStart;
  let modelText = '';
  if (model !== undefined) {
    if (peek.modelStart >= 0) {
      modelFrom = peek.modelStart;
      modelTo = peek.modelEnd;
      modelText = model;
    } else {
      modelText = `"model":${model}${peek.empty && !ask ? '' : ','}`;
    }
  }
  let askFrom = peek.objectStart;
  let askTo = peek.objectStart;
  let askText = '';
  if (ask) {
    if (peek.includeUsageStart >= 0) {
      askFrom = peek.includeUsageStart;
      askTo = peek.includeUsageEnd;
      askText = 'true';
    } else if (peek.streamOptionsStart < 0) {
      askText = `"stream_options":${ASK}${peek.empty ? '' : ','}`;
    } else if (body[peek.streamOptionsStart] === 123) {
      askFrom = peek.streamOptionsStart + 1;
      askTo = askFrom;
      askText = isEmptyObject(body, askFrom) ? '"include_usage":true' : '"include_usage":true,';
    } else {
      askFrom = peek.streamOptionsStart;
      askTo = peek.streamOptionsEnd;
      askText = ASK;
    }
  }
  const modelFirst = modelFrom <= askFrom;
  const firstFrom = modelFirst ? modelFrom : askFrom;
  const firstTo = modelFirst ? modelTo : askTo;
  const firstText = modelFirst ? modelText : askText;
  const secondFrom = modelFirst ? askFrom : modelFrom;
  const secondTo = modelFirst ? askTo : modelTo;
  const secondText = modelFirst ? askText : modelText;
  const out = Buffer.allocUnsafe(
    body.length -
      (firstTo - firstFrom) -
      (secondTo - secondFrom) +
      Buffer.byteLength(firstText) +
      Buffer.byteLength(secondText),
  );
  let at = body.copy(out, 0, 0, firstFrom);
  at += out.write(firstText, at);
  at += body.copy(out, at, firstTo, secondFrom);
  at += out.write(secondText, at);
  body.copy(out, at, secondTo);
  return out;
}

function isEmptyObject(body: Buffer, from: number): boolean {
  let i = from;
  while (body[i] === 32 || body[i] === 9 || body[i] === 10 || body[i] === 13) i++;
  return body[i] === 125;
}
