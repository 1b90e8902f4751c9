import type { Impact } from "@caracal/insight";

/** Longer lists are cut in the text; JSON has them whole. */
const maxLines = 20;

/** What a change would do, for a person. */
export function impactText(impact: Impact, nodeCount: number): string {
  const { sessions, routes, pairs, problems, assumed } = impact;
  const arrow = (hop: string | undefined): string => (hop === undefined ? "no route" : `via ${hop}`);
  const sections = [
    section(
      `Sessions: ${sessions.come.length} would come, ${sessions.go.length} would go, ${sessions.restart.length} would restart (each end counts)`,
      [
        ...sessions.come.map((one) => `+ ${one.node} – ${one.peer} (${one.address})`),
        ...sessions.go.map((one) => `- ${one.node} – ${one.peer} (${one.address})`),
        ...sessions.restart.map((one) => `~ ${one.node} – ${one.peer} (${one.address})`),
      ],
    ),
    section(
      `Routes: ${routes.length} would change`,
      routes.map(
        ({ node, prefix, before, after }) => `${node}: ${prefix} ${arrow(before)} → ${arrow(after)}`,
      ),
    ),
    section(
      `Pod pairs: ${pairs.lost.length} of ${pairs.count} would lose their route, ${pairs.gained.length} would get one`,
      [
        ...pairs.lost.map(({ from, to }) => `- ${from} → ${to}`),
        ...pairs.gained.map(({ from, to }) => `+ ${from} → ${to}`),
      ],
    ),
  ];
  if (problems.length > 0) {
    sections.push(
      section(
        "Problems that would be new",
        problems.map(({ about, message }) => `${about} ${message}`),
      ),
    );
  }
  if (assumed.length > 0) {
    sections.push(section("Assumed of routers outside the cluster: each passes on all it hears", assumed));
  }
  return `Nothing was changed. On ${nodeCount} node(s):\n\n${sections.join("\n")}`;
}

function section(title: string, lines: readonly string[]): string {
  const shown = lines.slice(0, maxLines).map((line) => `  ${line}\n`);
  const rest = lines.length - shown.length;
  return `${title}\n${shown.join("")}${rest === 0 ? "" : `  … and ${rest} more (-o json shows all)\n`}`;
}
