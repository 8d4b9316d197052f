// Checks Kubernetes manifests offline: node manifests.mjs FILE.yaml...
//
// Each document is checked twice against the types made from the published API schemas: by their
// validators (formats, ranges, required fields), and by the TypeScript compiler as an object
// literal, which also refuses fields that no schema has.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const PACKAGES = [
  ["monitoring.coreos.com/", "@kubernetes-models/prometheus-operator/"],
  ["keda.sh/", "@kubernetes-models/keda/"],
  ["", "kubernetes-models/"],
];

const module_of = ({ apiVersion, kind }) =>
  PACKAGES.find(([group]) => apiVersion.startsWith(group))[1] + `${apiVersion}/${kind}`;

let faults = 0;
const typed = [];
for (const file of process.argv.slice(2)) {
  const documents = parseAllDocuments(readFileSync(file, "utf8")).map((d) => {
    d.errors.forEach((error) => { throw new Error(`${file}: ${error}`); });
    return d.toJS();
  });
  for (const manifest of documents.filter(Boolean)) {
    const name = `${file}: ${manifest.kind}/${manifest.metadata?.name}`;
    try {
      const module = await import(module_of(manifest));
      new module[manifest.kind](manifest).validate();
      typed.push([module_of(manifest), manifest, name]);
    } catch (error) {
      faults += 1;
      console.error(`${name}: ${error.message}`);
    }
  }
}

const source = typed.map(([from, manifest, name], i) =>
  `// ${name}\nimport type { I${manifest.kind} as T${i} } from "${from}";\n` +
  `export const m${i}: T${i} = ${JSON.stringify(manifest, null, 1)};\n`);
writeFileSync("manifests.ts", source.join(""));
try {
  execFileSync("node_modules/.bin/tsc", [
    "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "--moduleResolution", "nodenext",
    "manifests.ts",
  ], { stdio: "inherit" });
} catch {
  faults += 1;
}
console.log(`${typed.length} manifests, ${faults} faults`);
process.exit(faults === 0 && typed.length > 0 ? 0 : 1);
