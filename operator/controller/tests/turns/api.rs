//! An API server in memory: objects by path, versions, conflicts, and answers that fail as a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// How an answer fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fails {
    /// Refused with this code and reason; nothing is done.
    Refused(u16, &'static str),
    /// Done, but no answer comes.
    Lost,
    /// The object is deleted just before.
    Gone,
}

struct Fault {
    method: Method,
    path: &'static str,
    fails: Fails,
    times: usize,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    calls: Vec<(Method, String)>,
    faults: Vec<Fault>,
    /// The collection whose watch ends.
    expired: Option<&'static str>,
}

/// The server; clones share it.
#[derive(Clone, Default)]
pub struct Api(Arc<Mutex<State>>, Arc<Notify>);

impl Api {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// A client that this server answers.
    pub fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request| answer(api.clone(), request));
        Client::new(service, "n")
    }

    /// Puts an object there as it is.
    pub fn put(&self, path: &str, mut object: Value) {
        let mut state = self.state();
        state.stamp(&mut object);
        state.objects.insert(path.to_owned(), object);
    }

    /// Somebody deletes the object at this path.
    pub fn remove(&self, path: &str) {
        self.state().objects.remove(path);
    }

    /// The object at this path.
    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(path).cloned()
    }

    /// The objects of a collection.
    pub fn list(&self, collection: &str) -> Vec<Value> {
        let listed = self.state().list(collection, "");
        listed["items"].as_array().cloned().unwrap_or_default()
    }

    /// Changes an object as somebody else would.
    pub fn edit(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.get(path).unwrap();
        let spec = object["spec"].clone();
        change(&mut object);
        if object["spec"] != spec {
            let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
            object["metadata"]["generation"] = json!(generation + 1);
        }
        self.put(path, object);
    }

    /// The next answers to this method, where the path ends so, fail.
    pub fn fail(&self, method: Method, path: &'static str, times: usize, fails: Fails) {
        self.state().faults.push(Fault {
            method,
            path,
            fails,
            times,
        });
    }

    /// No answer fails any more.
    pub fn heal(&self) {
        self.state().faults.clear();
    }

    /// The watch of this collection ends: what happened since is too long ago to be told.
    pub fn expire_watch(&self, collection: &'static str) {
        self.state().expired = Some(collection);
        self.1.notify_waiters();
    }

    /// Waits until the watch at this path ends. It tells nothing before: what changes has to be listed.
    async fn watched(&self, path: &str) {
        let expired = || self.state().expired.is_some_and(|one| path.ends_with(one));
        while !expired() {
            self.1.notified().await;
        }
        self.state().expired = None;
    }

    /// The Events that were published.
    pub fn events(&self) -> Vec<Value> {
        let state = self.state();
        let events = state.objects.iter();
        events
            .filter(|(path, _)| path.contains("/events/"))
            .map(|(_, event)| event.clone())
            .collect()
    }

    /// Their notes.
    pub fn notes(&self) -> Vec<String> {
        let note = |event: &Value| event["note"].as_str().unwrap_or_default().to_owned();
        self.events().iter().map(note).collect()
    }

    /// How many calls of this method there were where the path ends so.
    pub fn calls(&self, method: &Method, path: &str) -> usize {
        let state = self.state();
        let counted = state.calls.iter();
        counted
            .filter(|(sent, at)| sent == method && at.ends_with(path))
            .count()
    }
}

impl State {
    fn stamp(&mut self, object: &mut Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
    }

    fn fault(&mut self, method: &Method, path: &str) -> Option<Fails> {
        let fault = self.faults.iter_mut().find(|fault| {
            fault.times > 0 && fault.method == *method && path.ends_with(fault.path)
        })?;
        fault.times -= 1;
        Some(fault.fails)
    }

    fn serve(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> Answer {
        let (object, status) = match path.strip_suffix("/status") {
            Some(object) => (object, true),
            None => (path, false),
        };
        match *method {
            Method::GET if is_list(object) => Ok(self.list(object, query)),
            Method::GET => self.objects.get(object).cloned().ok_or_else(not_found),
            Method::POST => {
                let name = body["metadata"]["name"].as_str();
                let name = name.map_or_else(|| format!("made-{}", self.version), str::to_owned);
                self.create(&format!("{object}/{name}"), body.clone())
            }
            Method::PATCH if body.is_array() => self.json_patch(object, body),
            Method::PATCH => self.patch(object, status, query, body),
            Method::DELETE => self.objects.remove(object).ok_or_else(not_found),
            _ => Err((405, "MethodNotAllowed")),
        }
    }

    fn list(&self, collection: &str, query: &str) -> Value {
        let wanted: Vec<(String, String)> = query
            .split('&')
            .find_map(|part| part.strip_prefix("labelSelector="))
            .unwrap_or_default()
            .replace("%3D", "=")
            .replace("%2C", ",")
            .replace("%2F", "/")
            .split(',')
            .filter_map(|term| term.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let prefix = format!("{collection}/");
        let items = self.objects.iter().filter(|(path, object)| {
            let labels = &object["metadata"]["labels"];
            path.starts_with(&prefix) && wanted.iter().all(|(name, value)| labels[name] == **value)
        });
        let items: Vec<_> = items.map(|(_, object)| object.clone()).collect();
        json!({"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": "1"}, "items": items})
    }

    fn create(&mut self, path: &str, mut object: Value) -> Answer {
        if self.objects.contains_key(path) {
            return Err((409, "AlreadyExists"));
        }
        self.stamp(&mut object);
        object["metadata"]["uid"] = json!(path);
        object["metadata"]["generation"] = json!(1);
        self.objects.insert(path.to_owned(), object.clone());
        Ok(object)
    }

    /// `test` and `replace` of an object that is there.
    fn json_patch(&mut self, path: &str, operations: &Value) -> Answer {
        let mut object = self.objects.get(path).cloned().ok_or_else(not_found)?;
        for operation in operations.as_array().unwrap() {
            let at = operation["path"].as_str().unwrap();
            let value = &operation["value"];
            match operation["op"].as_str() {
                Some("test") if object.pointer(at) == Some(value) => {}
                Some("replace") => value.clone_into(object.pointer_mut(at).unwrap()),
                _ => return Err((422, "Invalid")),
            }
        }
        self.stamp(&mut object);
        self.objects.insert(path.to_owned(), object.clone());
        Ok(object)
    }

    fn patch(&mut self, path: &str, status: bool, query: &str, body: &Value) -> Answer {
        let Some(before) = self.objects.get(path).cloned() else {
            // An apply makes what is not there.
            let applied = query.contains("fieldManager");
            return if applied && !status {
                self.create(path, body.clone())
            } else {
                Err(not_found())
            };
        };
        let version = &body["metadata"]["resourceVersion"];
        if version.is_string() && *version != before["metadata"]["resourceVersion"] {
            return Err((409, "Conflict"));
        }
        let mut object = before.clone();
        if status {
            object["status"] = body["status"].clone();
        } else {
            merge(&mut object, body);
        }
        if object == before {
            return Ok(object);
        }
        self.stamp(&mut object);
        let held = object["metadata"]["finalizers"].as_array();
        if object["metadata"]["deletionTimestamp"].is_string() && held.is_none_or(Vec::is_empty) {
            self.objects.remove(path);
        } else {
            self.objects.insert(path.to_owned(), object.clone());
        }
        Ok(object)
    }
}

type Answer = Result<Value, (u16, &'static str)>;

fn not_found() -> (u16, &'static str) {
    (404, "NotFound")
}

/// `.../namespaces/n/<plural>` is a list.
fn is_list(path: &str) -> bool {
    path.split("/namespaces/")
        .nth(1)
        .is_some_and(|rest| rest.split('/').count() == 2)
}

fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(members) = patch else {
        *into = patch.clone();
        return;
    };
    for (name, member) in members {
        if member.is_null() {
            if let Some(into) = into.as_object_mut() {
                into.remove(name);
            }
        } else {
            merge(&mut into[name], member);
        }
    }
}

async fn answer(api: Api, request: Request<Body>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let bytes = body.collect_bytes().await.map_err(std::io::Error::other)?;
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let watches = query.contains("watch=true");
    if watches {
        api.watched(path).await;
    }
    let (answer, fails) = if watches {
        let gone = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 410,
            "reason": "Expired", "message": "too old resource version"});
        (Ok(json!({"type": "ERROR", "object": gone})), None)
    } else {
        let mut state = api.state();
        state.calls.push((head.method.clone(), path.to_owned()));
        let fails = state.fault(&head.method, path);
        let answer = match fails {
            Some(Fails::Refused(code, reason)) => Err((code, reason)),
            Some(Fails::Gone) => {
                state.objects.remove(path.trim_end_matches("/status"));
                Err(not_found())
            }
            _ => state.serve(&head.method, path, query, &body),
        };
        (answer, fails)
    };
    if fails == Some(Fails::Lost) {
        std::future::pending::<()>().await;
    }
    let (code, body) = match answer {
        Ok(object) => (200, object),
        Err((code, reason)) => (
            code,
            json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code,
                "reason": reason, "message": format!("{path}: {reason}")}),
        ),
    };
    let body = Body::from(serde_json::to_vec(&body)?);
    Response::builder()
        .status(code)
        .body(body)
        .map_err(std::io::Error::other)
}
