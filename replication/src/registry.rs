//! Plugins and origins by name, so that a program can offer its own beside those that ship.
//! Shipped: the plugins `mirror` and `source`, and, once a directory is given, the origin `local`.
//! Not here: running one (`replicator`).

use crate::{
    Error, Result,
    directory::Directory,
    local::LocalOrigin,
    mirror::Mirror,
    origin::Origin,
    plugin::Plugin,
    replicator::{Replication, Replicator},
    settings::{MirrorConfig, SourceConfig},
    source::Source,
    target::Target,
    transform::Transform,
};
use headwater_storage::Timestamp;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

type MakePlugin = Box<dyn Fn(&Value) -> Result<Box<dyn Plugin>> + Send + Sync>;
type MakeOrigin = Box<dyn Fn(&Value) -> Result<Arc<dyn Origin>> + Send + Sync>;

/// See the top of the file.
pub struct Registry {
    plugins: BTreeMap<String, MakePlugin>,
    origins: BTreeMap<String, MakeOrigin>,
}

/// Settings of `mirror` and `source`. Unknown fields are refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CopySettings {
    /// Name of the origin.
    name: String,
    start_sequence: Option<u64>,
    /// Nanoseconds since 1970.
    start_time: Option<i64>,
    filter: Option<String>,
    #[serde(default)]
    transforms: Vec<TransformSettings>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransformSettings {
    source: String,
    destination: String,
}

/// Settings of `local`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LocalSettings {
    /// Name of the stream.
    name: String,
}

impl Default for Registry {
    fn default() -> Self {
        let mut registry = Self { plugins: BTreeMap::new(), origins: BTreeMap::new() };
        registry.register_plugin("mirror", |settings| {
            let CopySettings { name, start_sequence, start_time, filter, transforms } =
                read(settings)?;
            Ok(Box::new(Mirror::new(MirrorConfig {
                name,
                start_sequence,
                start_time: start_time.map(Timestamp),
                filter,
                transforms: checked(&transforms)?,
                stream_transform: None,
            })?))
        });
        registry.register_plugin("source", |settings| {
            let CopySettings { name, start_sequence, start_time, filter, transforms } =
                read(settings)?;
            Ok(Box::new(Source::new(SourceConfig {
                name,
                start_sequence,
                start_time: start_time.map(Timestamp),
                filter,
                transforms: checked(&transforms)?,
                ..SourceConfig::default()
            })?))
        });
        registry
    }
}

impl Registry {
    /// What ships, with `local` for the streams of a directory.
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        let mut registry = Self::default();
        registry.register_origin("local", move |settings| {
            let LocalSettings { name } = read(settings)?;
            Ok(Arc::new(LocalOrigin::new(name, directory.clone())))
        });
        registry
    }

    /// Offers a plugin, in the place of one of the same name. It is made from settings for each replication.
    pub fn register_plugin(
        &mut self,
        name: impl Into<String>,
        make: impl Fn(&Value) -> Result<Box<dyn Plugin>> + Send + Sync + 'static,
    ) {
        self.plugins.insert(name.into(), Box::new(make));
    }

    /// Offers an origin, in the place of one of the same name. It is made from settings for each replication.
    pub fn register_origin(
        &mut self,
        name: impl Into<String>,
        make: impl Fn(&Value) -> Result<Arc<dyn Origin>> + Send + Sync + 'static,
    ) {
        self.origins.insert(name.into(), Box::new(make));
    }

    /// Makes a plugin.
    pub fn plugin(&self, name: &str, settings: &Value) -> Result<Box<dyn Plugin>> {
        let make = self.plugins.get(name);
        make.ok_or_else(|| Error::NotRegistered(format!("plugin {name}")))?(settings)
    }

    /// Makes an origin.
    pub fn origin(&self, name: &str, settings: &Value) -> Result<Arc<dyn Origin>> {
        let make = self.origins.get(name);
        make.ok_or_else(|| Error::NotRegistered(format!("origin {name}")))?(settings)
    }

    /// Starts a replication from names and settings, on the current tokio runtime.
    pub fn start(
        &self,
        target: Arc<dyn Target>,
        (plugin, plugin_settings): (&str, &Value),
        (origin, origin_settings): (&str, &Value),
    ) -> Result<Replication> {
        let plugin = self.plugin(plugin, plugin_settings)?;
        let origin = self.origin(origin, origin_settings)?;
        Ok(Replicator::start(target, plugin, origin))
    }
}

fn read<T: DeserializeOwned>(settings: &Value) -> Result<T> {
    T::deserialize(settings).map_err(|error| Error::InvalidConfig(error.to_string()))
}

fn checked(transforms: &[TransformSettings]) -> Result<Vec<Transform>> {
    transforms
        .iter()
        .map(|each| Transform::new(&each.source, &each.destination))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::InvalidConfig(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_checked() {
        let registry = Registry::default();
        let transforms = json!([{"source": "a.*", "destination": "b.$2"}]);
        for (name, settings, fits) in [
            ("mirror", json!({"name": "O"}), true),
            ("source", json!({"name": "O", "start_sequence": 5, "filter": "o.*"}), true),
            ("source", json!({"name": "O", "surprise": 5}), false),
            ("source", json!({"name": "O", "transforms": transforms}), false),
            ("mirror", json!({"start_sequence": 5}), false),
            ("mirror", json!(5), false),
            ("other", json!({"name": "O"}), false),
        ] {
            assert_eq!(registry.plugin(name, &settings).is_ok(), fits, "{name} {settings}");
        }
        let error = registry.origin("local", &json!({"name": "O"})).map(|_| ());
        assert!(matches!(error, Err(Error::NotRegistered(_))), "there is no directory");
    }
}
