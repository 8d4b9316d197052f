// Checks a Dockerfile: node dockerfile.mjs FILE
import { readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";

const text = readFileSync(process.argv[2], "utf8");
const faults = validate(text);
for (const { range, message } of faults) {
  console.error(`${process.argv[2]}:${range.start.line + 1}: ${message}`);
}
console.log(`${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
