/** Reads an answer to its end that nobody wants, so that its connection can be kept. */
import type { OutboundSink } from '../kernel/exchange.ts';

/** A longer body is not waited for. */
export const DISCARDED_BYTES = 65_536;

const nothing = (): void => {};

/** Takes what nobody wants; one for all. */
export const discarded: OutboundSink = {
  onInterim: nothing,
  onResponseHead: nothing,
  onResponseData: nothing,
  onResponseEnd: nothing,
  onOutboundDrain: nothing,
  onOutboundError: nothing,
};
