/**
 * Aim: policies, tiers and all that belongs to them are created, shown and deleted as with calicoctl.
 * Method: whole command lines over a store in memory; the tables are those of Calico's documentation, blanks included.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { storeOf } from "../../test/resources-fixture.ts";
import { run } from "../../test/test-context.ts";

const manifest = `
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: security}
spec: {order: 100}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: security.deny-db}
spec:
  tier: security
  order: 10.5
  selector: role == 'db'
  ingress:
  - action: Deny
    protocol: TCP
    destination: {ports: [5432]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: allow-web, namespace: shop}
spec:
  ingress:
  - {action: Allow, protocol: TCP, destination: {ports: ["80", "8000:8080"]}}
---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: soon, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: bad, labels: {threat: "yes"}}
spec: {nets: [10.1.0.0/16, 10.2.0.0/16]}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: hep1}
spec: {node: node1, interfaceName: eth0, expectedIPs: [10.0.0.1, "fd00::1"], profiles: [p]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: p}
spec: {labelsToApply: {a: b}}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {bpfEnabled: true}
`;

test("what belongs to policies is created together and shown in Calico's tables", async () => {
  const store = await storeOf({});
  const made = await run("create -f -", { store, stdin: manifest });
  assert.deepEqual(made, { exitCode: 0, stdout: "Successfully created 8 resource(s)\n", stderr: "" });
  for (const [line, table] of [
    [
      "get tier",
      [
        "NAME            ORDER   ",
        "security        100     ",
        "kube-admin      1000    ",
        "default         1e+06   ",
        "kube-baseline   1e+07   ",
      ],
    ],
    ["get gnp", ["NAME               TIER       ", "security.deny-db   security   "]],
    [
      "get gnp -o wide",
      [
        "NAME               TIER       ORDER   SELECTOR       ",
        "security.deny-db   security   10.5    role == 'db'   ",
      ],
    ],
    [
      "get np -n shop -o wide",
      [
        "NAMESPACE   NAME        TIER      ORDER   SELECTOR   ",
        "shop        allow-web   default   <nil>              ",
      ],
    ],
    ["get sknp -n shop -o wide", ["NAMESPACE   NAME   PODSELECTOR   ", "shop        soon   app=web       "]],
    ["get gnetset -o wide", ["NAME   NETS                      ", "bad    10.1.0.0/16,10.2.0.0/16   "]],
    [
      "get hep -o wide",
      [
        "NAME   NODE    INTERFACE   IPS                PROFILES   ",
        "hep1   node1   eth0        10.0.0.1,fd00::1   p          ",
      ],
    ],
    [
      "get profile -o wide",
      [
        "NAME                          LABELS   ",
        "p                             a=b      ",
        "projectcalico-default-allow            ",
      ],
    ],
    ["get felixconfig", ["NAME      ", "default   "]],
    ["get np", ["NAME   TIER   "]],
  ] as const) {
    assert.deepEqual(
      await run(line, { store }),
      { exitCode: 0, stdout: [...table, "", ""].join("\n"), stderr: "" },
      line,
    );
  }
});

test("a policy is shown with what Calico fills in", async () => {
  const store = await storeOf({});
  await run("create -f -", { store, stdin: manifest });
  const { stdout } = await run("get np allow-web -n shop -o yaml --export", { store });
  assert.equal(
    stdout,
    `apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  labels:
    projectcalico.org/tier: default
  name: allow-web
spec:
  ingress:
  - action: Allow
    destination:
      ports:
      - 80
      - 8000:8080
    protocol: TCP
    source: {}
  tier: default
  types:
  - Ingress
`,
  );
});

test("what calicoctl refuses is refused in its words", async () => {
  const store = await storeOf({});
  await run("create -f -", { store, stdin: manifest });
  for (const [line, expected] of [
    ["delete tier default", /Cannot delete default tier/],
    ["delete tier security", /Cannot delete a non-empty tier/],
    ["delete profile projectcalico-default-allow", /operation Delete is not supported on Profile/],
    ["delete np knp.default.x -n shop", /must be managed through the kubernetes API/],
    ["get gnp -n x", /^GlobalNetworkPolicy is not namespaced\n$/],
    ["get np nothing", /^resource does not exist: NetworkPolicy\(default\/nothing\) with error: <nil>\n$/],
  ] as const) {
    const { exitCode, stderr } = await run(line, { store });
    assert.equal(exitCode, 1, line);
    assert.match(stderr, expected, line);
  }
  const knp = manifest.replace("allow-web", "knp.default.allow-web");
  assert.match(
    (await run("apply -f -", { store, stdin: knp })).stderr,
    /operation create is not supported on NetworkPolicy\(shop\/knp\.default\.allow-web\): kubernetes network policies must be managed through the kubernetes API\n$/,
  );
  const removed = await run("delete -f -", { store, stdin: manifest });
  // The tier comes first in the file, and still has a policy then.
  assert.match(removed.stdout, /^Successfully deleted 7 resource\(s\)\n$/);
  assert.match((await run("delete tier security", { store })).stdout, /^Successfully deleted 1 'Tier'/);
});
