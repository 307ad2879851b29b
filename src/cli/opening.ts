/** Opens what may not be had: the access log and the admin port; errors tell operators why, and what to do. */
import { type Admin, type AdminHandle, isLoopback, parseAddress, startAdmin } from '../admin/admin.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { type LogWriter, openLog } from '../observe/observe.ts';
import { refuseCode } from '../supervisor/supervisor.ts';

/** The access log at `access`; undefined when that is `off`. */
export async function openAccessLog(
  access: string,
  parts: Parameters<typeof openLog>[1],
): Promise<LogWriter | undefined> {
  if (access === 'off') return undefined;
  try {
    return await openLog(access, parts);
  } catch (error) {
    throw new Error(`log.access: ${access} cannot be opened: ${reasonOf(error as NodeJS.ErrnoException)}`);
  }
}

/** Why a file cannot be written, and what to do. */
function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'its folder does not exist; create it';
  if (code === 'EISDIR') return 'it is a folder; name a file';
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'it may not be written; choose another place';
  return message;
}

/** The admin port, on `fd` if another process has bound it for us. */
export async function openAdmin(
  address: string,
  handle: AdminHandle,
  notice: (notice: NoticeEvent) => void,
  fd: number | undefined,
): Promise<Admin> {
  if (handle.settings().access === undefined && !address.startsWith('unix:') && isLoopback(parseAddress(address))) {
    const message = `the admin port at ${address} asks nobody who they are: everybody on this machine may change everything; set admin.access, or use unix:/path`;
    notice({ level: 'warn', message });
  }
  try {
    return await startAdmin({ address, handle, clock: systemClock, notice, ...(fd === undefined ? {} : { fd }) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : refuseCode(code, address, 'admin.address');
  }
}
