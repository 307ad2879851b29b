/** CRC32C, the checksum of the PROXY protocol and iSCSI (RFC 3720 appendix B.4). */

const TABLE = new Uint32Array(256).map((_, octet) => {
  let value = octet;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

/** The checksum of all bytes. */
export function crc32c(bytes: Uint8Array): number {
  let value = 0xffffffff;
  for (const octet of bytes) value = (TABLE[(value ^ octet) & 255] as number) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
