/** Reading a SETTINGS frame (RFC 9113 §6.5). */
import { H2, MAX_FRAME, MAX_WINDOW, readUint32, SETTING } from './frame.ts';

/** What the peer sets; -1 for what it leaves as it is. */
export interface PeerSettings {
  window: number;
  streams: number;
  tableSize: number;
}

/** The settings in `buffer[start, end)`, or the error code for what may not be. Unknown ones are ignored. */
export function readSettings(buffer: Buffer, start: number, end: number): PeerSettings | number {
  if ((end - start) % 6 !== 0) return H2.FRAME_SIZE_ERROR;
  const settings = { window: -1, streams: -1, tableSize: -1 };
  for (let at = start; at < end; at += 6) {
    const id = ((buffer[at] as number) << 8) | (buffer[at + 1] as number);
    const value = readUint32(buffer, at + 2);
    if (id === SETTING.INITIAL_WINDOW_SIZE) {
      if (value > MAX_WINDOW) return H2.FLOW_CONTROL_ERROR;
      settings.window = value;
    } else if (id === SETTING.MAX_CONCURRENT_STREAMS) settings.streams = value;
    else if (id === SETTING.HEADER_TABLE_SIZE) {
      // Of several in one frame the smallest is what must be answered (RFC 7541 §4.2).
      settings.tableSize = settings.tableSize < 0 ? value : Math.min(settings.tableSize, value);
    } else if (id === SETTING.ENABLE_PUSH && value > 1) return H2.PROTOCOL_ERROR;
    else if (id === SETTING.MAX_FRAME_SIZE && (value < MAX_FRAME || value > 2 ** 24 - 1)) return H2.PROTOCOL_ERROR;
  }
  return settings;
}
