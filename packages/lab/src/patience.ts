import { readFileSync } from "node:fs";

/**
 * By how much longer a lab waits here than on a machine of its own: a user-mode Linux has one processor, on which programs start
 * many times slower.
 */
export const patience: number = isUserModeLinux() ? 6 : 1;

function isUserModeLinux(): boolean {
  try {
    return /^vendor_id\s*: User Mode Linux$/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}
