/** Opens the admin port, with a message for people when it cannot be had. */
import { type Admin, type AdminHandle, startAdmin } from '../admin/admin.ts';
import { systemClock } from '../kernel/clock.ts';
import type { NoticeEvent } from '../kernel/event.ts';
import { refuseCode } from '../supervisor/supervisor.ts';

/** Opens it at `address`, or on the socket `fd` that another process has bound. Rejects with an `Error` to be read. */
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
