//! `transport.pulsar`: how its settings become a connection.

use crate::cluster::connection::MakeTransport;
use crate::config::{Config, ConfigError, PulsarConfig};

#[cfg(not(feature = "pulsar"))]
pub(super) fn broker(config: &Config, _: &PulsarConfig) -> Result<MakeTransport, ConfigError> {
    Err(config.needs_feature("transport.pulsar", "pulsar"))
}

/// What connects to the broker, at the first use.
#[cfg(feature = "pulsar")]
pub(super) fn broker(config: &Config, pulsar: &PulsarConfig) -> Result<MakeTransport, ConfigError> {
    use std::sync::Arc;

    use crate::cluster::transport::Transport;
    use crate::pulsar::PulsarTransport;

    let settings = settings(config, pulsar)?;
    Ok(Box::new(move || {
        let settings = settings.clone();
        Box::pin(async move {
            let transport = PulsarTransport::connect(settings).await?;
            Ok(Arc::new(transport) as Arc<dyn Transport>)
        })
    }))
}

#[cfg(feature = "pulsar")]
fn settings(
    config: &Config,
    pulsar: &PulsarConfig,
) -> Result<crate::pulsar::PulsarSettings, ConfigError> {
    use crate::pulsar::PulsarSettings;

    let mut settings = PulsarSettings::new(&pulsar.broker_url, &pulsar.admin_url);
    settings.tenant.clone_from(&pulsar.tenant);
    settings.namespace.clone_from(&pulsar.namespace);
    settings
        .transient_namespace
        .clone_from(&pulsar.transient_namespace);
    settings
        .allowed_clusters
        .clone_from(&pulsar.allowed_clusters);
    settings.admin_roles = pulsar.admin_roles.clone().unwrap_or_default();
    settings.prefix.clone_from(&pulsar.topic_prefix);
    settings.max_message_bytes = pulsar.max_message_bytes;
    settings.ca_file.clone_from(&pulsar.client.tls_ca_file);
    if let Some(authentication) = &pulsar.client.authentication {
        settings.auth = auth(config, authentication)?;
    }
    if let Some(messages) = pulsar.producer.max_pending_messages {
        settings.in_flight_messages = messages;
    }
    if let Some(bytes) = pulsar.client.memory_limit_bytes {
        settings.in_flight_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    let (ours, theirs) = (&mut settings.policies, &pulsar.policies);
    let set = |to: &mut i64, from: Option<i64>| *to = from.unwrap_or(*to);
    set(&mut ours.retention_minutes, theirs.retention_minutes);
    set(&mut ours.retention_mb, theirs.retention_mb);
    let set = |to: &mut u32, from: Option<u32>| *to = from.unwrap_or(*to);
    set(&mut ours.message_ttl_seconds, theirs.message_ttl_seconds);
    set(
        &mut ours.transient_ttl_seconds,
        theirs.transient_ttl_seconds,
    );
    set(
        &mut ours.transient_inactive_seconds,
        theirs.transient_inactive_seconds,
    );
    let checked = settings.check();
    checked.map_err(|error| config.wrong(format!("`transport.pulsar`: {error}")))?;
    Ok(settings)
}

#[cfg(feature = "pulsar")]
#[cfg_attr(
    feature = "pulsar-oauth2",
    expect(
        clippy::unnecessary_wraps,
        unused_variables,
        reason = "only a missing feature is an error"
    )
)]
fn auth(
    config: &Config,
    authentication: &crate::config::Authentication,
) -> Result<crate::pulsar::Auth, ConfigError> {
    use crate::config::Authentication;
    use crate::pulsar::Auth;

    Ok(match authentication {
        Authentication::Token(token) => Auth::Token(token.reveal().to_owned()),
        Authentication::TokenFile(path) => Auth::TokenFile(path.clone()),
        Authentication::Basic { username, password } => Auth::Basic {
            user: username.clone(),
            password: password.reveal().to_owned(),
        },
        #[cfg(not(feature = "pulsar-oauth2"))]
        Authentication::OAuth2 { .. } => {
            let setting = "transport.pulsar.client.authentication.issuerUrl";
            return Err(config.needs_feature(setting, "pulsar-oauth2"));
        }
        #[cfg(feature = "pulsar-oauth2")]
        Authentication::OAuth2 {
            issuer_url,
            credentials_url,
            audience,
            scope,
        } => Auth::OAuth2 {
            issuer_url: issuer_url.clone(),
            credentials_url: credentials_url.reveal().to_owned(),
            audience: audience.clone(),
            scope: scope.clone(),
        },
    })
}
