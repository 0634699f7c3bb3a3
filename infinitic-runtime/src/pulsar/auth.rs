//! Who we are to the broker, and whom we believe.

use std::fmt;
use std::path::PathBuf;

use pulsar::PulsarBuilder;
use pulsar::authentication::Authentication;
use pulsar::authentication::basic::BasicAuthentication;
#[cfg(feature = "pulsar-oauth2")]
use pulsar::authentication::oauth2::{OAuth2Authentication, OAuth2Params};
use pulsar::error::AuthenticationError;

use crate::cluster::store::Pending;

/// How to authenticate. Its debug text has no secrets.
#[derive(Clone)]
#[non_exhaustive]
pub enum Auth {
    /// Not at all.
    None,
    /// A JSON web token.
    Token(String),
    /// The same, in a file that is read again for each connection: it may be renewed.
    TokenFile(PathBuf),
    /// A name and a password.
    Basic {
        /// Of the user.
        user: String,
        /// Of the user.
        password: String,
    },
    /// Client credentials of OAuth2.
    #[cfg(feature = "pulsar-oauth2")]
    OAuth2 {
        /// Of the provider.
        issuer_url: String,
        /// File with client id and secret, as a `file://` or `data:` URL.
        credentials_url: String,
        /// Which tokens are asked for.
        audience: Option<String>,
        /// Which rights are asked for.
        scope: Option<String>,
    },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(_) => f.write_str("Token(..)"),
            Self::TokenFile(path) => write!(f, "TokenFile({})", path.display()),
            Self::Basic { user, .. } => write!(f, "Basic({user}, ..)"),
            #[cfg(feature = "pulsar-oauth2")]
            Self::OAuth2 { issuer_url, .. } => write!(f, "OAuth2({issuer_url}, ..)"),
        }
    }
}

impl Auth {
    /// Tells a new client who we are.
    pub(super) fn apply(
        &self,
        builder: PulsarBuilder<pulsar::TokioExecutor>,
    ) -> PulsarBuilder<pulsar::TokioExecutor> {
        match self.provider() {
            Some(provider) => builder.with_auth_provider(provider),
            None => builder,
        }
    }

    fn provider(&self) -> Option<Box<dyn Authentication>> {
        Some(match self {
            Self::None => return None,
            Self::Token(token) => Box::new(pulsar::Authentication {
                name: "token".to_owned(),
                data: token.trim().as_bytes().to_vec(),
            }),
            Self::TokenFile(path) => Box::new(TokenFile(path.clone())),
            Self::Basic { user, password } => BasicAuthentication::new(user, password),
            #[cfg(feature = "pulsar-oauth2")]
            Self::OAuth2 {
                issuer_url,
                credentials_url,
                audience,
                scope,
            } => OAuth2Authentication::client_credentials(OAuth2Params {
                issuer_url: issuer_url.clone(),
                credentials_url: credentials_url.clone(),
                audience: audience.clone(),
                scope: scope.clone(),
            }),
        })
    }

    /// Who we are, for the REST interface.
    pub(super) fn for_admin(&self) -> AdminAuth {
        match self {
            Self::None => AdminAuth::None,
            Self::Basic { user, password } => AdminAuth::Basic {
                user: user.clone(),
                password: password.clone(),
            },
            _ => AdminAuth::Bearer(tokio::sync::Mutex::new(Bearer {
                provider: self.provider().expect("all others give tokens"),
                ready: false,
            })),
        }
    }
}

/// What a request to the REST interface carries.
pub(super) enum AdminAuth {
    None,
    Basic { user: String, password: String },
    Bearer(tokio::sync::Mutex<Bearer>),
}

/// What draws tokens.
pub(super) struct Bearer {
    provider: Box<dyn Authentication>,
    ready: bool,
}

impl AdminAuth {
    /// Adds who we are to a request.
    ///
    /// # Errors
    /// When no token could be drawn, in words.
    pub(super) async fn apply(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<reqwest::RequestBuilder, String> {
        match self {
            Self::None => Ok(request),
            Self::Basic { user, password } => Ok(request.basic_auth(user, Some(password))),
            Self::Bearer(bearer) => {
                let mut bearer = bearer.lock().await;
                if !bearer.ready {
                    let started = bearer.provider.initialize().await;
                    started.map_err(|error| error.to_string())?;
                    bearer.ready = true;
                }
                let data = bearer.provider.auth_data().await;
                let data = data.map_err(|error| error.to_string())?;
                let token = String::from_utf8(data).map_err(|_| "the token is no text")?;
                Ok(request.bearer_auth(token))
            }
        }
    }
}

impl fmt::Debug for AdminAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdminAuth(..)")
    }
}

/// A token that may be renewed while we run.
struct TokenFile(PathBuf);

impl TokenFile {
    fn read(&self) -> Result<Vec<u8>, AuthenticationError> {
        let text = std::fs::read_to_string(&self.0).map_err(|error| {
            let path = self.0.display();
            AuthenticationError::Custom(format!("the token file {path} cannot be read: {error}"))
        })?;
        Ok(text.trim().as_bytes().to_vec())
    }
}

impl Authentication for TokenFile {
    fn auth_method_name(&self) -> String {
        "token".to_owned()
    }

    fn initialize<'a, 'b>(&'a mut self) -> Pending<'b, Result<(), AuthenticationError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { Ok(()) })
    }

    fn auth_data<'a, 'b>(&'a mut self) -> Pending<'b, Result<Vec<u8>, AuthenticationError>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async { self.read() })
    }
}

/// Chooses the process's TLS provider, unless it has one.
pub(super) fn install_tls() {
    // Two libraries with two providers in one process would panic at the first handshake.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_texts() {
        let secrets = [
            Auth::Token("geheim".to_owned()),
            Auth::Basic {
                user: "ann".to_owned(),
                password: "geheim".to_owned(),
            },
        ];
        for auth in secrets {
            let mut settings = super::super::settings::PulsarSettings::new("a", "b");
            settings.auth = auth;
            assert!(!format!("{settings:?}").contains("geheim"));
            assert!(!format!("{:?}", settings.auth.for_admin()).contains("geheim"));
        }
    }
}
