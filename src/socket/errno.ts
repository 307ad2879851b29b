/** Errors as libuv numbers them: negative. */
import { constants } from 'node:os';

/** The peer sends no more. */
export const UV_EOF = -4095;
/** It is being done already. */
export const UV_EALREADY = -constants.errno.EALREADY;
/** The other side broke the protocol, as seen by TLS. */
export const UV_EPROTO = -constants.errno.EPROTO;
