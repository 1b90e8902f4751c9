// Aim: the real kernel behind the port keeps the port's promises, and the reconciler works on it. Method: the port's
// compliance suite, each case in a fresh namespace; a notice flood that really overruns the monitor's buffer.
import { test } from "node:test";
import { kernelSuite } from "@caracal/dataplane/suite";
import { kernelSkip } from "./fresh-namespace.ts";
import { freshSubject } from "./kernel-subject.ts";

const skip = kernelSkip(["ip"]);

for (const { name, run } of kernelSuite) test(name, { skip }, (t) => run(freshSubject(t)));
