/** Opens the admin port, with words for operators when it cannot be had. */
import { type Admin, type AdminHandle, startAdmin } from '../admin/admin.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { refuseCode } from '../supervisor/supervisor.ts';

/** `fd`: a socket that was bound for it already. Throws an `Error` that names the setting. */
export async function openAdmin(
  address: string,
  handle: AdminHandle,
  notice: (notice: NoticeEvent) => void,
  fd: number | undefined,
): Promise<Admin> {
  try {
    return await startAdmin({ address, handle, clock: systemClock, notice, ...(fd === undefined ? {} : { fd }) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : refuseCode(code, address, 'admin.address');
  }
}
