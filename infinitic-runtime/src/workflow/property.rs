//! Properties: durable values of an instance, shared by its methods.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use infinitic_core::names::PropertyName;
use infinitic_core::{Command, Payload};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::recorder::Recorder;

/// A durable value of a workflow: a field of its struct. Starts from `Default`; each change is
/// recorded. Outside workflow code (in an ordinary unit test) it is a plain value.
///
/// ```ignore
/// #[workflow]
/// #[derive(Default)]
/// struct Orders { status: Property<Status> }
/// ```
#[derive(Default)]
pub struct Property<T> {
    value: Mutex<T>,
    bound: OnceLock<Bound>,
}

#[derive(Debug)]
struct Bound {
    recorder: Arc<Recorder>,
    name: PropertyName,
}

impl<T: fmt::Debug> fmt::Debug for Property<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Property").field(&*self.lock()).finish()
    }
}

impl<T> Property<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Serialize + DeserializeOwned + Clone + Default> Property<T> {
    /// A property that starts from a value instead of `Default`. The value must be the same each
    /// time the workflow's struct is made.
    pub fn new(value: T) -> Self {
        Self {
            value: Mutex::new(value),
            bound: OnceLock::new(),
        }
    }

    /// The current value.
    pub fn get(&self) -> T {
        self.lock().clone()
    }

    /// Gives it a new value.
    ///
    /// # Panics
    /// When the value does not encode as JSON, which stops the instance with that explanation; or
    /// when the field is not known to `#[workflow]` because its type hides `Property` behind an
    /// alias (mark such a field with `#[property(name = "…")]`).
    #[track_caller]
    pub fn set(&self, value: T) {
        self.update(|old| *old = value);
    }

    /// Changes the value in place.
    ///
    /// # Panics
    /// As [`Property::set`].
    #[track_caller]
    pub fn update(&self, change: impl FnOnce(&mut T)) {
        let mut value = self.get();
        change(&mut value);
        if let Some(bound) = self.bound.get() {
            let json = serde_json::to_vec(&value).unwrap_or_else(|error| {
                panic!("property `{}` does not encode: {error}", bound.name)
            });
            let command = Command::SetProperty {
                name: bound.name.clone(),
                value: Payload::from_json(json),
            };
            bound.recorder.record(command, None);
        } else {
            assert!(
                !Recorder::is_any_current(),
                "this property is not known to `#[workflow]`: write its type as `Property<…>` in a \
                 struct under `#[workflow]`, or mark the field with `#[property(name = \"…\")]`"
            );
        }
        *self.lock() = value;
    }
}

/// Binds the properties of a workflow's struct to a run. Used by generated code.
#[doc(hidden)]
#[derive(Debug)]
pub struct Binder<'a> {
    pub(crate) recorder: &'a Arc<Recorder>,
}

impl Binder<'_> {
    /// Binds one property under its wire name.
    pub fn bind<T>(&mut self, name: &str, property: &Property<T>) {
        let bound = Bound {
            recorder: Arc::clone(self.recorder),
            name: PropertyName::known(name),
        };
        assert!(
            property.bound.set(bound).is_ok(),
            "the workflow's factory must make a new value for each run"
        );
    }
}
