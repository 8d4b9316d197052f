//! The OpenAPI document. Bodies are generated from the types that are sent, records of Kafka topics from
//! their published schemas; a test holds the paths against the routes.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::api;
use super::extract::Json;
use super::problem::ProblemBody;

/// Schemas of records that are handed on as they are: component and text.
const RECORDS: [(&str, &str); 4] = [
    ("AlertRecord", include_str!("../../config/schemas/alert.v1.json")),
    ("ForecastRecord", include_str!("../../config/schemas/forecast.v1.json")),
    ("ExaminationRecord", include_str!("../../config/schemas/model.v1.json")),
    ("DriftRecord", include_str!("../../config/schemas/drift.v1.json")),
];

static DOCUMENT: LazyLock<Value> = LazyLock::new(generate);

pub(super) async fn document() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

/// Collects schemas while paths are written down.
struct Writer {
    schemas: SchemaGenerator,
    paths: Map<String, Value>,
}

fn generate() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut writer = Writer { schemas: settings.into_generator(), paths: Map::new() };
    writer.probes();
    writer.lists();
    writer.single();
    writer.writes();
    let problem = writer.schema::<ProblemBody>();
    let mut schemas = writer.schemas.take_definitions(true);
    for (name, text) in RECORDS {
        lift(name, text, &mut schemas);
    }
    let links = ["ExaminationRecord", "DriftRecord"].map(link);
    schemas.insert("ModelEvent".to_owned(), json!({ "anyOf": links }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "latentd",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What a latentd process sees, and the few things it can be told. Lists hold what \
                this process owns and remembers; everything is on the Kafka topics, too.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": writer.paths,
        "components": {
            "schemas": schemas,
            "responses": { "Problem": {
                "description": "Why not.",
                "content": { "application/problem+json": { "schema": problem } },
            } },
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer",
                "description": "Only if `http.token_file` is set." } },
        },
    })
}

fn link(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Makes a component of a published schema, and of each of its definitions.
fn lift(name: &str, text: &str, into: &mut Map<String, Value>) {
    let text = text.replace("#/$defs/", &format!("#/components/schemas/{name}_"));
    let mut schema: Value = serde_json::from_str(&text).expect("a test of this crate reads it");
    let Some(table) = schema.as_object_mut() else { return };
    table.remove("$schema");
    table.remove("$id");
    if let Some(Value::Object(definitions)) = table.remove("$defs") {
        into.extend(definitions.into_iter().map(|(key, value)| (format!("{name}_{key}"), value)));
    }
    into.insert(name.to_owned(), schema);
}

/// A parameter of the query.
fn query(name: &str, what: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "description": what, "schema": schema })
}

fn segment(name: &str, what: &str) -> Value {
    let schema = json!({ "type": "string", "minLength": 1 });
    json!({ "name": name, "in": "path", "required": true, "description": what, "schema": schema })
}

fn words(of: &[&str]) -> Value {
    json!({ "type": "string", "enum": of })
}

fn limit() -> Value {
    let most = api::LIMIT_MAX;
    query("limit", "Most items.", &json!({ "type": "integer", "minimum": 1, "maximum": most }))
}

/// The parameters of a list.
fn list(filters: &[&str]) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let offset = json!({ "type": "integer", "minimum": 0, "maximum": api::OFFSET_MAX });
    let filters = filters.iter().map(|name| query(name, "Only of this name.", &text));
    filters.chain([limit(), query("offset", "Items to skip.", &offset)]).collect()
}

impl Writer {
    fn schema<T: JsonSchema>(&mut self) -> Value {
        self.schemas.subschema_for::<T>().to_value()
    }

    fn add(&mut self, method: &str, path: &str, operation: Value) {
        let item = self.paths.entry(path).or_insert_with(|| json!({}));
        item[method] = operation;
    }

    /// A path that is read.
    fn get<T: JsonSchema>(&mut self, path: &str, summary: &str, parameters: Vec<Value>) {
        let body = json!({ "schema": self.schema::<T>() });
        let mut responses = problems(&["400"]);
        if path.contains('{') {
            responses.extend(problems(&["404"]));
        }
        responses.insert("200".into(), answer("What there is.", "application/json", &body));
        let operation =
            json!({ "summary": summary, "parameters": parameters, "responses": responses });
        self.add("get", path, operation);
    }

    /// A path that changes something.
    fn post<T: JsonSchema>(&mut self, path: &str, summary: &str, ok: &str, body: Option<Value>) {
        let written = json!({ "schema": self.schema::<T>() });
        let codes = ["400", "401", "403", "404", "413", "415", "422", "503"];
        let mut responses = problems(&codes);
        responses.insert(ok.into(), answer("Done.", "application/json", &written));
        let mut operation = json!({
            "summary": summary, "responses": responses, "security": [{}, { "token": [] }],
        });
        if let Some(content) = body {
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        self.add("post", path, operation);
    }

    fn probes(&mut self) {
        let text = json!({ "schema": { "type": "string" } });
        for (path, summary, codes) in [
            ("/metrics", "Metrics for Prometheus.", &["200"][..]),
            ("/healthz", "200 while the process works.", &["200", "503"]),
            ("/readyz", "200 when ready, else the reason.", &["200", "503"]),
        ] {
            let told = |code: &&str| ((*code).to_owned(), answer("In words.", "text/plain", &text));
            let responses: Map<String, Value> = codes.iter().map(told).collect();
            self.add("get", path, json!({ "summary": summary, "responses": responses }));
        }
        let document = json!({ "schema": { "type": "object" } });
        let responses = json!({ "200": answer("It.", "application/json", &document) });
        let operation = json!({ "summary": "This document.", "responses": responses });
        self.add("get", "/api/v1/openapi.json", operation);
    }

    fn lists(&mut self) {
        let path = "/api/v1/streams";
        self.get::<api::StreamsBody>(path, "Streams and their partitions.", list(&["stream"]));
        let mut parameters = list(&["stream", "entity"]);
        let states = words(&["warming", "alert", "silenced", "calm"]);
        parameters.push(query("state", "Only in this state.", &states));
        self.get::<api::SeriesList>("/api/v1/series", "Series, with warm-up.", parameters);
        let mut parameters = list(&["stream", "entity"]);
        let states = words(&["firing", "resolved", "suppressed"]);
        parameters.push(query("state", "Only in this state.", &states));
        let severities = words(&["warning", "critical"]);
        parameters.push(query("severity", "Only this severe.", &severities));
        self.get::<api::AlertsBody>("/api/v1/alerts", "Alerts, newest first.", parameters);
        let parameters = || list(&["stream", "entity"]);
        let summary = "Examinations of models and drifts, newest first.";
        self.get::<api::ModelsBody>("/api/v1/models", summary, parameters());
        let summary = "The newest forecast of each series and target.";
        self.get::<api::ForecastsBody>("/api/v1/forecasts", summary, parameters());
    }

    fn single(&mut self) {
        let names = [segment("stream", "Its stream."), segment("entity", "Its name.")];
        let parameters = names.into_iter().chain([limit()]).collect();
        let path = "/api/v1/series/{stream}/{entity}";
        self.get::<api::PointsBody>(path, "A series with its newest rows.", parameters);
        let id = || segment("alert_id", "Its id.");
        let path = "/api/v1/alerts/{alert_id}";
        self.get::<api::AlertBody>(path, "An alert with its records.", vec![id()]);
        let path = "/api/v1/alerts/{alert_id}/explain";
        let formats = query("format", "A picture, or its numbers.", &words(&["json", "svg"]));
        let summary = "Observed against expected of the top sensors of an alert.";
        self.get::<api::AlertExplanation>(path, summary, vec![id(), formats]);
        let picture = json!({ "schema": { "type": "string" } });
        let content = &mut self.paths[path]["get"]["responses"]["200"]["content"];
        content["image/svg+xml"] = picture;
    }

    fn writes(&mut self) {
        let body = |schema: Value| Some(json!({ "application/json": { "schema": schema } }));
        let feedback = self.schema::<api::FeedbackRequest>();
        let path = "/api/v1/feedback";
        self.post::<api::WrittenBody>(path, "A verdict on an alert.", "202", body(feedback));
        let maintenance = self.schema::<api::MaintenanceRequest>();
        let path = "/api/v1/maintenance";
        self.post::<api::WrittenBody>(path, "Announces maintenance.", "202", body(maintenance));
        let text = json!({ "schema": { "type": "string" } });
        let any = json!({ "schema": {} });
        let formats = json!({
            "application/toml": text, "application/yaml": any, "application/json": any,
        });
        let path = "/api/v1/config/validate";
        self.post::<api::ValidatedBody>(path, "Checks a configuration.", "200", Some(formats));
        let summary = "Reads the configuration again.";
        self.post::<api::ReloadedBody>("/-/reload", summary, "200", None);
    }
}

fn answer(what: &str, media: &str, body: &Value) -> Value {
    json!({ "description": what, "content": { media: body } })
}

fn problems(codes: &[&str]) -> Map<String, Value> {
    let problem = json!({ "$ref": "#/components/responses/Problem" });
    codes.iter().chain(&["default"]).map(|code| ((*code).to_owned(), problem.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Path and method of each route, from the source that makes them.
    fn routes() -> Vec<(String, String)> {
        let source = include_str!("routes.rs");
        let api = source.find("fn api_routes").unwrap();
        let calls = source.match_indices(".route(\"").map(|(at, call)| {
            let rest = &source[at + call.len()..];
            let (path, rest) = rest.split_once('"').unwrap();
            let method = rest.trim_start_matches([',', ' ']).split('(').next().unwrap();
            let prefix = if at > api { "/api/v1" } else { "" };
            (format!("{prefix}{path}"), method.to_owned())
        });
        calls.collect()
    }

    #[test]
    fn every_route_is_documented_and_nothing_else() {
        let document = generate();
        let paths = document["paths"].as_object().unwrap();
        let documented = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (path.clone(), method.clone()))
        });
        let mut documented: Vec<_> = documented.collect();
        let mut routes = routes();
        documented.sort();
        routes.sort();
        assert!(routes.len() > 12, "{routes:?}");
        assert_eq!(documented, routes);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = generate();
        let text = document.to_string();
        let references: Vec<&str> = text
            .split("\"$ref\":\"#")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert!(references.len() > 30, "{}", references.len());
        for reference in references {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
