//! Monitoring over HTTP.
//! Not here: the answers (`variables`, `connections`, `subscriptions`).

use super::bounded::Bounded;
use super::query::{Query, QueryError};
use super::{accounts, connections, health, servers, subscriptions, variables};
use crate::server::{StartError, listen};
use crate::shared::Shared;
use axum::Router;
use axum::extract::{self, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

type Parameters = extract::Query<BTreeMap<String, String>>;

/// How long a request may take to come, and a connection may say nothing between two.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Pages, as the index lists them.
const PAGES: [(&str, &str); 10] = [
    ("varz", "General"),
    ("jsz", "JetStream"),
    ("connz", "Connections"),
    ("accountz", "Accounts"),
    ("accstatz", "Account Statistics"),
    ("subsz", "Subscriptions"),
    ("routez", "Routes"),
    ("gatewayz", "Gateways"),
    ("leafz", "Leaf Nodes"),
    ("healthz", "Health Probe"),
];

/// Starts answering; gives the address.
pub(crate) async fn start(shared: &Arc<Shared>) -> Result<Option<SocketAddr>, StartError> {
    let Some((host, port)) = &shared.options.monitoring else { return Ok(None) };
    let host = if host.is_empty() { &shared.options.host } else { host };
    let (listener, address) = listen(host, *port).await?;
    tracing::info!("Starting http monitor on {host}:{}", address.port());
    let router = Router::new()
        .route("/", get(index))
        .route("/varz", get(varz))
        .route("/jsz", get(jsz))
        .route("/connz", get(connz))
        .route("/accountz", get(accountz))
        .route("/accstatz", get(accstatz))
        .route("/leafz", get(leafz))
        .route("/routez", get(routez))
        .route("/gatewayz", get(gatewayz))
        .route("/subsz", get(subsz))
        .route("/subscriptionsz", get(subsz))
        .route("/healthz", get(healthz))
        .with_state(shared.clone());
    let stopping = shared.stopping.clone();
    tokio::spawn(async move {
        let server = axum::serve(Bounded::new(listener, WAIT_MAX), router);
        let stop = async move { stopping.cancelled().await };
        if let Err(error) = server.with_graceful_shutdown(stop).await {
            tracing::error!(%error, "http monitor ended");
        }
    });
    Ok(Some(address))
}

async fn index(State(shared): State<Arc<Shared>>) -> Html<String> {
    shared.count_http("/");
    let link = |(page, name): (&str, &str)| format!("<li><a href=\"/{page}\">{name}</a></li>\n");
    let links: String = PAGES.into_iter().map(link).collect();
    let version = crate::protocol::VERSION_TEXT;
    Html(format!(
        "<!doctype html><html lang=\"en\"><title>Headwater</title>\n<h1>Headwater</h1>\n\
         <p>{version}</p>\n<ul>\n{links}</ul></html>\n"
    ))
}

async fn varz(State(shared): State<Arc<Shared>>) -> Response {
    shared.count_http("/varz");
    pretty(&variables::view(&shared))
}

async fn jsz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/jsz");
    answer(variables::jetstream(&shared, &Query::from_url(parameters.0)))
}

async fn connz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/connz");
    answer(connections::view(&shared, &Query::from_url(parameters.0)))
}

async fn accountz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/accountz");
    answer(accounts::view(&shared, &Query::from_url(parameters.0)))
}

async fn accstatz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/accstatz");
    answer(accounts::all_statistics(&shared, &Query::from_url(parameters.0)))
}

async fn leafz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/leafz");
    answer(servers::leaf_nodes(&shared, &Query::from_url(parameters.0)))
}

async fn routez(State(shared): State<Arc<Shared>>) -> Response {
    shared.count_http("/routez");
    pretty(&servers::routes(&shared))
}

async fn gatewayz(State(shared): State<Arc<Shared>>) -> Response {
    shared.count_http("/gatewayz");
    pretty(&servers::gateways(&shared))
}

async fn subsz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/subsz");
    answer(subscriptions::view(&shared, &Query::from_url(parameters.0)))
}

async fn healthz(State(shared): State<Arc<Shared>>, parameters: Parameters) -> Response {
    shared.count_http("/healthz");
    let mut parameters = parameters.0;
    if let Some(account) = parameters.remove("account") {
        parameters.insert("acc".to_owned(), account);
    }
    match health::view(&shared, &Query::from_url(parameters)) {
        Ok((health, status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            (status, json(health.to_string())).into_response()
        }
        Err(error) => refusal(&error),
    }
}

fn answer(result: Result<Value, QueryError>) -> Response {
    match result {
        Ok(value) => pretty(&value),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &QueryError) -> Response {
    (StatusCode::BAD_REQUEST, error.to_string()).into_response()
}

fn pretty(value: &Value) -> Response {
    json(serde_json::to_string_pretty(value).unwrap_or_default()).into_response()
}

fn json(body: String) -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, body)
}
