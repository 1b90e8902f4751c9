/** Versions of the CNI specification that are answered, oldest first. The plugins' executables list the same. */
export const supportedVersions = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
export type CniVersion = (typeof supportedVersions)[number];

/** What a configuration without `cniVersion` means: the last version in which it could be left out. */
export const impliedVersion: CniVersion = "0.2.0";
/** In what version an error is told whose call named none that can be read. */
export const latestVersion: CniVersion = "1.1.0";

export function isSupported(version: string): version is CniVersion {
  return supportedVersions.some((supported) => supported === version);
}

/** Whether `version` is `floor` or later. */
export function atLeast(version: CniVersion, floor: CniVersion): boolean {
  return supportedVersions.indexOf(version) >= supportedVersions.indexOf(floor);
}
