// Aim: the tunnel reconciler keeps its promises of IP-in-IP on a real kernel. Method: the suite that the kernel in memory passes,
// each case in a fresh namespace of a kernel that has the module.
import { test } from "node:test";
import { ipipSuite } from "@caracal/dataplane/suite";
import { requireMachine } from "@caracal/testbed";
import { freshSubject } from "./kernel-subject.ts";

const skip = requireMachine();

for (const { name, run } of ipipSuite) test(name, { skip }, (t) => run(freshSubject(t)));
