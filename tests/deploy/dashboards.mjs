// Checks Grafana dashboards offline: node dashboards.mjs FILE.json...
//
// The TypeScript compiler holds each against the types that Grafana publishes, as an object literal:
// fields that are missing, of another type, or unknown are faults.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

// In JSON an enum is its value.
const ENUMS = [
  [/"mode": "absolute"/g, '"mode": ThresholdsMode.Absolute'],
  [/"type": "value"/g, '"type": MappingType.ValueToText'],
];

const source = process.argv.slice(2).map((file, i) => {
  const board = JSON.parse(readFileSync(file, "utf8"));
  // What a query says, and how it is shown, is typed by the plugin of its data source.
  for (const annotation of board.annotations.list) {
    delete annotation.target.expr;
    delete annotation.titleFormat;
    delete annotation.textFormat;
  }
  const text = ENUMS.reduce((t, [json, type]) => t.replace(json, type), JSON.stringify(board, null, 1));
  return `// ${file}\nexport const d${i}: Dashboard = ${text};\n`;
});
const types = 'import { MappingType, ThresholdsMode, type Dashboard } from "@grafana/schema";\n';
writeFileSync("dashboards.ts", types + source.join(""));
execFileSync("node_modules/.bin/tsc", [
  "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext",
  "dashboards.ts",
], { stdio: "inherit" });
console.log(`${source.length} dashboards, 0 faults`);
