/** Aim: FELIX_ variables mean what they mean to Felix. Method: variables in Calico's spellings, good and bad. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readFelixEnvironment } from "./felix-environment.ts";

test("variables are settings by their type, under Felix's names, in any case", () => {
  const { settings, problems } = readFelixEnvironment({
    FELIX_IPINIPMTU: "1400",
    FELIX_VXLANMTU: "1350",
    Felix_VxlanVNI: "0x1000",
    FELIX_VXLANENABLED: "false",
    FELIX_IPINIPENABLED: "1",
    FELIX_NATOUTGOINGADDRESS: "192.0.2.1",
    FELIX_MTUIFACEPATTERN: "^bond",
    FELIX_HEALTHPORT: "none",
    FELIX_VXLANPORT: "",
    FELIX_UNKNOWN: "1",
    VXLANVNI: "7",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(settings, {
    ipipMTU: 1400,
    vxlanMTU: 1350,
    vxlanVNI: 4096,
    vxlanEnabled: false,
    ipipEnabled: true,
    natOutgoingAddress: "192.0.2.1",
    mtuIfacePattern: "^bond",
    healthPort: 0,
  });
});

test("what makes no sense is left to the resources, and told", () => {
  const { settings, problems } = readFelixEnvironment({ FELIX_VXLANVNI: "blue", FELIX_VXLANPORT: "4790" });
  assert.deepEqual(settings, { vxlanPort: 4790 });
  assert.deepEqual(problems, ["environment FELIX_VXLANVNI='blue' makes no sense and is left out"]);
});
