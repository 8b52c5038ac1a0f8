//! The control API told in OpenAPI 3.1: what stands in a request and in an answer, made of the types
//! themselves, and who may ask. Which operations there are is the server's to say.

use hyper::{Method, StatusCode};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use tunnel::Role;

use crate::ErrorBody;

const JSON: &str = "application/json";

/// Where the document has its schemas.
const SCHEMAS: &str = "/components/schemas";

type Schematic = fn(&mut SchemaGenerator) -> Schema;

/// A method on a path, and what becomes of it.
pub struct Operation {
    /// How it is asked.
    pub method: Method,
    /// Where; a part in braces is the caller's.
    pub path: String,
    about: &'static str,
    roles: &'static [Role],
    query: Option<Schematic>,
    body: Option<Body>,
    answer: Answered,
    refusals: &'static [u16],
}

struct Body {
    schema: Schematic,
    is_required: bool,
}

struct Answered {
    status: u16,
    media: &'static str,
    schema: Schematic,
}

impl Operation {
    /// `GET`; for every role, and answered with 200 and any JSON, until more is said.
    pub fn get(path: impl Into<String>, about: &'static str) -> Self {
        Self::new(Method::GET, path.into(), about)
    }

    /// `POST`, likewise.
    pub fn post(path: impl Into<String>, about: &'static str) -> Self {
        Self::new(Method::POST, path.into(), about)
    }

    fn new(method: Method, path: String, about: &'static str) -> Self {
        Self {
            method,
            path,
            about,
            roles: &[Role::Client, Role::Server, Role::Admin],
            query: None,
            body: None,
            answer: Answered {
                status: 200,
                media: JSON,
                schema: SchemaGenerator::subschema_for::<Map<String, Value>>,
            },
            refusals: &[],
        }
    }

    /// For these roles alone.
    #[must_use]
    pub fn only(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }

    /// Behind the path may stand what `T` has, as `name=value`.
    #[must_use]
    pub fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// With this body.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: SchemaGenerator::subschema_for::<T>,
            is_required: true,
        });
        self
    }

    /// With this body or none.
    #[must_use]
    pub fn may_take<T: JsonSchema>(self) -> Self {
        let mut operation = self.takes::<T>();
        operation.body = operation.body.map(|body| Body {
            is_required: false,
            ..body
        });
        operation
    }

    /// Its answer where all went well, with this status.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answer = Answered {
            status,
            media: JSON,
            schema: SchemaGenerator::subschema_for::<T>,
        };
        self
    }

    /// Its answer is one such object a line, without end or to their end.
    #[must_use]
    pub fn tells<T: JsonSchema>(self) -> Self {
        let mut operation = self.answers::<T>(200);
        operation.answer.media = "application/x-ndjson";
        operation
    }

    /// The statuses that it may have instead, each with an [`ErrorBody`].
    #[must_use]
    pub fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    fn described(&self, answers: &mut SchemaGenerator, requests: &mut SchemaGenerator) -> Value {
        let mut responses = Map::new();
        let mut answer = |status: u16, media: &str, description: &str, schema: Schema| {
            let content = json!({ media: { "schema": schema } });
            let response = json!({ "description": description, "content": content });
            responses.insert(status.to_string(), response);
        };
        let Answered { status, media, .. } = self.answer;
        let done = (self.answer.schema)(answers);
        answer(status, media, "It is done, or told.", done);
        for status in self.refusals {
            let refused = answers.subschema_for::<ErrorBody>();
            answer(*status, JSON, refusal(*status), refused);
        }
        let certificate = |role: &Role| json!({ "certificate": [role.name()] });
        let roles: Vec<_> = self.roles.iter().map(certificate).collect();
        let mut parameters = in_path(&self.path);
        if let Some(query) = self.query {
            parameters.extend(in_query(&query(requests)));
        }
        let mut described = json!({
            "summary": self.about,
            "security": roles,
            "parameters": parameters,
            "responses": responses,
        });
        if let Some(body) = &self.body {
            described["requestBody"] = json!({
                "required": body.is_required,
                "content": { JSON: { "schema": (body.schema)(requests) } },
            });
        }
        described
    }
}

/// The document of these operations, of a program of this version.
#[must_use]
pub fn document(operations: &[Operation], version: &str) -> Value {
    let settings = SchemaSettings::draft2020_12();
    // What may be left out of a request is not left out of an answer: each has schemas of its own.
    let mut answers = settings
        .clone()
        .with(|it| it.definitions_path = SCHEMAS.into())
        .for_serialize()
        .into_generator();
    let mut requests = settings
        .with(|it| it.inline_subschemas = true)
        .for_deserialize()
        .into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let described = operation.described(&mut answers, &mut requests);
        let path = paths.entry(&operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = described;
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": { "title": "pgseal's control API", "version": version, "description": ABOUT },
        "paths": paths,
        "components": {
            "schemas": answers.take_definitions(true),
            "securitySchemes": {
                "certificate": {
                    "type": "mutualTLS",
                    "description": "A certificate of the fleet's CA; with each operation stands of which role.",
                },
            },
        },
    });
    without_links(&mut document);
    document
}

const ABOUT: &str = "HTTP/1.1 in TLS with certificates on both sides and the ALPN protocol http/1.1, on the \
port of data sessions. Another path is answered 404, another method 405, each with an error in JSON. Readers pass \
over fields that they do not know.";

/// What a refusal means that is told by a status.
fn refusal(status: u16) -> &'static str {
    match status {
        400 => "Something of the request is malformed.",
        403 => "Not for this certificate.",
        404 => "There is no such thing, or it is not the caller's.",
        409 => "It is there already, or somebody was faster.",
        410 => "It is destroyed, or is going to be.",
        413 => "The body is too long.",
        422 => "It is understood, and cannot be done.",
        429 => "No more of these today.",
        503 => "What has to be known for it is not known now.",
        _ => StatusCode::from_u16(status)
            .ok()
            .and_then(|it| it.canonical_reason())
            .unwrap_or("An error."),
    }
}

fn in_path(path: &str) -> Vec<Value> {
    let parts = path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        let text = json!({ "type": "string" });
        Some(json!({ "name": name, "in": "path", "required": true, "schema": text }))
    });
    parts.collect()
}

fn in_query(schema: &Schema) -> Vec<Value> {
    let all = |name: &str| schema.get(name).cloned().unwrap_or_default();
    let (properties, required) = (all("properties"), all("required"));
    let needs = |name: &String| {
        let required = required.as_array();
        required.is_some_and(|it| it.iter().any(|it| it == name))
    };
    let parameter = |(name, schema): (&String, &Value)| json!({ "name": name, "in": "query", "required": needs(name), "schema": schema });
    let properties = properties.as_object();
    properties.map_or_else(Vec::new, |it| it.iter().map(parameter).collect())
}

/// Takes the links out of descriptions: they lead to Rust's documentation.
fn without_links(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "description" => *text = unlinked(text),
                    _ => without_links(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_links),
        _ => {}
    }
}

/// `[text](place)` is `text`; lines are joined.
fn unlinked(text: &str) -> String {
    let mut parts = text.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("](").and_then(|(text, rest)| {
            let (_, rest) = rest.split_once(')')?;
            Some((text, rest))
        }) {
            Some((text, rest)) => plain.extend([text, rest]),
            None => plain.extend(["[", part]),
        }
    }
    plain.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What is looked for.
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its description is looked at")]
    struct Search {
        /// How a [name](Search) begins.
        prefix: String,
        #[serde(default)]
        limit: u8,
    }

    #[test]
    fn parameters_are_those_of_the_path_and_of_the_query() {
        let operation = Operation::get("/v1/x/{id}/y", "Looks.")
            .asks::<Search>()
            .only(&[Role::Admin])
            .refuses(&[404]);
        let document = document(&[operation], "1.2.3");
        let described = &document["paths"]["/v1/x/{id}/y"]["get"];
        let parameters = described["parameters"].as_array().unwrap();
        let told: Vec<_> = parameters
            .iter()
            .map(|it| {
                (
                    it["name"].as_str(),
                    it["in"].as_str(),
                    it["required"].as_bool(),
                )
            })
            .collect();
        let expected = [
            ("id", "path", true),
            ("limit", "query", false),
            ("prefix", "query", true),
        ];
        assert_eq!(
            told,
            expected.map(|(name, place, is)| (Some(name), Some(place), Some(is)))
        );
        assert_eq!(parameters[2]["schema"]["description"], "How a name begins.");
        assert_eq!(described["security"], json!([{ "certificate": ["admin"] }]));
        let refused = &described["responses"]["404"]["content"][JSON]["schema"];
        assert_eq!(refused["$ref"], "#/components/schemas/ErrorBody");
    }

    #[test]
    fn what_may_be_left_out_of_a_request_stands_in_every_answer() {
        let operations = [Operation::post("/v1/a", "Does.")
            .may_take::<Search>()
            .answers::<Search>(201)];
        let document = document(&operations, "1.2.3");
        let described = &document["paths"]["/v1/a"]["post"];
        assert_eq!(described["requestBody"]["required"], false);
        let taken = &described["requestBody"]["content"][JSON]["schema"];
        assert_eq!(taken["required"], json!(["prefix"]));
        let answered = &document["components"]["schemas"]["Search"];
        assert_eq!(answered["required"], json!(["prefix", "limit"]));
    }
}
