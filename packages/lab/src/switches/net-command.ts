import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quoted, type SwitchPlace } from "./switch-runtime.ts";

/**
 * Makes Cumulus Linux's `net` command on a switch that runs FRR, as far as BGP goes: `net show bgp …`, `net show
 * configuration bgp`, and changes that are gathered by `net add bgp …` and `net del bgp …` until `net commit`.
 */
export function writeNetCommand(place: SwitchPlace, vtysh: readonly string[]): void {
  const file = join(place.binDirectory, "net");
  const { asNumber } = place.spec;
  const staged = quoted(join(place.runDirectory, "net"));
  writeFileSync(
    file,
    `#!/bin/sh
vtysh() { ${vtysh.map(quoted).join(" ")} "$@"; }
staged=${staged}
case "$1 $2" in
  "show configuration") vtysh -c "show running-config bgpd" ;;
  "show bgp") vtysh -c "$*" ;;
  "add bgp" | "del bgp") verb=$1; shift 2; echo "$*" >> "$staged.$verb" ;;
  "commit ")
    touch "$staged.add" "$staged.del"
    # A value that is deleted and given anew is only replaced: to FRR, a group without it would lose its members.
    while read -r line; do
      grep -q "^\${line% *} " "$staged.add" || echo "no $line"
    done < "$staged.del" > "$staged.all"
    cat "$staged.add" >> "$staged.all"
    set -- -c "configure terminal" -c "router bgp ${asNumber}"
    while read -r line; do set -- "$@" -c "$line"; done < "$staged.all"
    rm -f "$staged.add" "$staged.del" "$staged.all"
    vtysh "$@"
    ;;
  *)
    echo "usage: net show bgp … | show configuration bgp | add bgp … | del bgp … | commit" >&2
    exit 1
    ;;
esac
`,
  );
  chmodSync(file, 0o755);
}
