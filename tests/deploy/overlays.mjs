// What the overlays for Kubernetes must agree on: node overlays.mjs, beside the manifests of each.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";

const overlay = (name) => {
  const documents = parseAllDocuments(readFileSync(`${name}.yaml`, "utf8")).map((d) => d.toJS());
  return (kind) => documents.find((manifest) => manifest?.kind === kind);
};
const annotations = (of) => of("StatefulSet").spec.template.metadata.annotations ?? {};
const [base, production, keda] = ["base", "overlays-production", "overlays-keda"].map(overlay);

// One way to be scraped, not two.
assert.equal(annotations(base)["prometheus.io/scrape"], "true");
for (const of of [production, keda]) {
  assert.ok(of("PodMonitor"));
  assert.equal(annotations(of)["prometheus.io/scrape"], undefined);
}

// Who counts the pods.
assert.equal(base("StatefulSet").spec.replicas, 2);
assert.equal(keda("StatefulSet").spec.replicas, undefined);

// The lag is asked for by the account that latentd reads with.
const [container] = keda("StatefulSet").spec.template.spec.containers;
const env = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
const [trigger] = keda("ScaledObject").spec.triggers;
const authentication = keda("TriggerAuthentication");
assert.equal(trigger.authenticationRef.name, authentication.metadata.name);
assert.equal(env.LATENTD__KAFKA__RDKAFKA__SECURITY_PROTOCOL, "SASL_SSL");
assert.equal(trigger.metadata.tls, "enable");
const mechanism = env.LATENTD__KAFKA__RDKAFKA__SASL_MECHANISM;
assert.equal(trigger.metadata.sasl, mechanism.toLowerCase().replaceAll("-", "_").replace("sha_", "sha"));
const [username] = authentication.spec.env;
assert.equal(username.parameter, "username");
assert.ok(env[username.name], username.name);
assert.equal(username.containerName, container.name);
const secrets = keda("StatefulSet").spec.template.spec.volumes.map((volume) => volume.secret?.secretName);
for (const { name } of authentication.spec.secretTargetRef) assert.ok(secrets.includes(name), name);

// Each pod links to itself, and somebody may answer its page.
const named = (of) => Object.fromEntries(of("StatefulSet").spec.template.spec.containers[0].env.map((e) => [e.name, e]));
for (const of of [base, production, keda]) {
  const { POD_NAME: name, LATENTD__ALERTING__EXTERNAL_URL: url } = named(of);
  assert.equal(name.valueFrom.fieldRef.fieldPath, "metadata.name");
  const { metadata, spec } = of("Service");
  assert.equal(url.value, `http://$(POD_NAME).${metadata.name}.${metadata.namespace}.svc:${spec.ports[0].port}`);
}
for (const of of [production, keda]) {
  const { initContainers, containers, volumes } = of("StatefulSet").spec.template.spec;
  const mounts = [...initContainers, ...containers].flatMap((c) => c.volumeMounts.map((mount) => mount.name));
  for (const name of mounts) assert.ok(volumes.some((volume) => volume.name === name), name);
  assert.equal(named(of).LATENTD__HTTP__TOKEN_FILE.value, "/run/secrets/http/token");
  // The topics are made by the same program, under the same account.
  const [topics] = initContainers;
  assert.equal(topics.image, containers[0].image);
  assert.deepEqual(topics.args.slice(0, 2), ["topics", "create"]);
  for (const { name, value } of topics.env) assert.equal(named(of)[name].value, value);
}
console.log("overlays agree");
