//! The block `leafnodes`: where leaf nodes connect, and the hub that this server dials.
//! Not here: the link (`leaf`).

use super::options::{LeafNodeOptions, LeafUrl};
use super::reader::Reader;
use super::tree::Value;
use super::value;

/// Where leaf nodes connect, where nothing else is said.
const PORT: u16 = 7422;

/// Keys of nats-server in this block that are known and not built.
const UNSUPPORTED: &[&str] = &[
    "advertise",
    "authorization",
    "compression",
    "connect_error_reports",
    "isolate_leafnode_interest",
    "isolate",
    "min_version",
    "no_advertise",
    "reconnect",
    "reconnect_delay",
    "reconnect_interval",
    "tls",
    "write_deadline",
    "write_timeout",
];

/// Keys of nats-server in a remote that are known and not built.
const REMOTE_UNSUPPORTED: &[&str] = &[
    "account",
    "compression",
    "cred",
    "creds",
    "credentials",
    "deny_export",
    "deny_exports",
    "deny_import",
    "deny_imports",
    "disabled",
    "first_info_timeout",
    "hub",
    "ignore_discovered_servers",
    "jetstream_cluster_migrate",
    "js_cluster_migrate",
    "local",
    "local_isolation",
    "nkey",
    "no_randomize",
    "dont_randomize",
    "proxy",
    "request_isolation",
    "seed",
    "tls",
    "websocket_compression",
    "ws_compression",
    "websocket_no_masking",
    "ws_no_masking",
];

/// Reads the block.
pub(super) fn read(reader: &mut Reader, options: &mut LeafNodeOptions, value: &Value) {
    let Some(map) = reader.map(value) else { return };
    let (mut host, mut port) = (None, None);
    for entry in &map.entries {
        let value = &entry.value;
        match entry.key.to_ascii_lowercase().as_str() {
            "listen" => {
                if let Some((at, number)) = reader.address(value) {
                    (host, port) = (at.or(host), Some(number));
                }
            }
            "host" | "net" => host = reader.string(value),
            "port" => port = reader.port(value),
            "remotes" | "remote" => remotes(reader, options, value),
            key => reader.refuse_key(entry, UNSUPPORTED.contains(&key)),
        }
    }
    if host.is_some() || port.is_some() {
        options.listen = Some((host.unwrap_or_else(|| "0.0.0.0".into()), port.unwrap_or(PORT)));
    }
}

fn remotes(reader: &mut Reader, options: &mut LeafNodeOptions, value: &Value) {
    let Some(list) = reader.list(value) else { return };
    for (at, value) in list.iter().enumerate() {
        if at > 0 {
            reader.refuse(&value.place, "more than one remote is not supported by Headwater");
            return;
        }
        let Some(map) = reader.map(value) else { continue };
        for entry in &map.entries {
            match entry.key.to_ascii_lowercase().as_str() {
                "url" | "urls" => {
                    for text in reader.strings(&entry.value).unwrap_or_default() {
                        match url(&text) {
                            Ok(url) => options.remote_urls.push(url),
                            Err(reason) => reader.refuse(&entry.value.place, reason),
                        }
                    }
                }
                key => reader.refuse_key(entry, REMOTE_UNSUPPORTED.contains(&key)),
            }
        }
        if options.remote_urls.is_empty() && reader.refusals.is_empty() {
            reader.refuse(&value.place, "a remote without a url");
        }
    }
}

/// `[scheme://][user[:password]@]host[:port]`.
fn url(text: &str) -> Result<LeafUrl, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("nats-leaf", text));
    if !matches!(scheme, "nats" | "nats-leaf" | "leaf") {
        return Err(format!("links over {scheme:?} are not supported by Headwater"));
    }
    let (user_info, address) = rest.rsplit_once('@').unwrap_or(("", rest));
    if user_info.contains('%') {
        return Err("an encoded user or password is not supported by Headwater".to_owned());
    }
    let (user, password) = match user_info.split_once(':') {
        Some((user, password)) => (user, Some(password.to_owned())),
        None => (user_info, None),
    };
    let address = address.trim_end_matches('/');
    let has_port = address
        .rsplit_once(':')
        .is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let whole = if has_port { address.to_owned() } else { format!("{address}:{PORT}") };
    let parsed = value::host_port(&whole).filter(|(_, port)| *port > 0);
    let Some((Some(host), port)) = parsed else {
        return Err("a url of the form nats-leaf://host:port expected".to_owned());
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(LeafUrl { user: user.to_owned(), password, host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            ("nats-leaf://hub:7000", Some(("", None, "hub", 7000))),
            ("nats://a:b@hub", Some(("a", Some("b"), "hub", 7422))),
            ("nats://token@10.0.0.1:1/", Some(("token", None, "10.0.0.1", 1))),
            ("hub", Some(("", None, "hub", 7422))),
            ("[::1]:5", Some(("", None, "::1", 5))),
            ("tls://hub", None),
            ("ws://hub", None),
            ("nats://a%20:b@hub", None),
            ("nats://hub:0", None),
            ("nats://:5", None),
        ] {
            let found = url(text).ok();
            let found = found.as_ref().map(|url| {
                (url.user.as_str(), url.password.as_deref(), url.host.as_str(), url.port)
            });
            assert_eq!(found, expected, "{text}");
        }
    }
}
