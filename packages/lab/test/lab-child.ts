/** `caracal lab` with the fake program in a process of its own, to be interrupted or killed. */
import { runLab } from "../src/index.ts";
import { labContext } from "./lab-scope.ts";

const controller = new AbortController();
process.once("SIGINT", () => controller.abort());
const write = (text: string): void => void process.stderr.write(text);
process.exitCode = await runLab(
  process.argv.slice(2),
  labContext({ signal: controller.signal, stdout: { write }, stderr: { write } }),
);
